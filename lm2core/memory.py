"""The memory of one LM2 block: read, gates, routing, gated update.

Source: Kang et al. 2025, arXiv:2502.06049, sections 2.1 (read) and 2.2 (update). Where this differs from
the paper, and why, is in docs/ARCHITECTURE.md, "The memory, exactly".

Axes, used as name suffixes in the whole package:
    B batch   T tokens of a segment   N memory slots   D width   H memory heads   K = D / H
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from lm2core.config import LM2Config

FORGET_BIAS = 2.0  # sigmoid(2) = 0.88: an untrained memory keeps most of what it holds


def initial_bank(batch_size: int, n_slots: int, width: int, *, like: Tensor) -> Tensor:
    """Rows of the identity, (B,N,D): slots must differ at the start or they never learn to.

    With more slots than width the rows repeat; the learned slot keys then tell them apart.
    """
    rows = torch.arange(n_slots, device=like.device) % width
    eye_ND = F.one_hot(rows, width).to(like.dtype)
    return eye_ND.expand(batch_size, n_slots, width)


def read_pattern(
    q_BTD: Tensor, k_BND: Tensor, *, n_heads: int, top_k: int | None = None, causal: bool = False
) -> Tensor:
    """Attention of tokens over slots, (B,H,T,N), rows sum to 1 (eq. 1).

    ``top_k`` keeps the strongest slots of each row and renormalises. ``causal`` lets token t see slots
    0..t only, for the positional routing where slot t belongs to token t.
    """
    q_BHTK = q_BTD.unflatten(-1, (n_heads, -1)).transpose(1, 2)
    k_BHKN = k_BND.unflatten(-1, (n_heads, -1)).permute(0, 2, 3, 1)
    scores_BHTN = (q_BHTK @ k_BHKN) * q_BHTK.shape[-1] ** -0.5
    if causal:
        hidden_TN = torch.ones(scores_BHTN.shape[-2:], dtype=torch.bool, device=q_BTD.device).triu(1)
        scores_BHTN = scores_BHTN.masked_fill(hidden_TN, torch.finfo(scores_BHTN.dtype).min)
    if top_k is not None:
        kept = scores_BHTN.topk(top_k, dim=-1).indices
        dropped = torch.ones_like(scores_BHTN, dtype=torch.bool).scatter(-1, kept, False)
        scores_BHTN = scores_BHTN.masked_fill(dropped, torch.finfo(scores_BHTN.dtype).min)
    return scores_BHTN.softmax(dim=-1)


def read_values(pattern_BHTN: Tensor, v_BND: Tensor) -> Tensor:
    """What each token reads, (B,T,D): every head mixes its part of the slots' values."""
    v_BHNK = v_BND.unflatten(-1, (pattern_BHTN.shape[1], -1)).transpose(1, 2)
    return (pattern_BHTN @ v_BHNK).transpose(1, 2).flatten(-2)


def slot_shares(pattern_BTN: Tensor, mask_BT: Tensor) -> Tensor:
    """Routing R, (B,N,T): how much of slot n's update token t brings; rows sum to at most 1.

    ``pattern_BTN`` is P(slot | token). Padding (mask 0) writes nothing. A slot that several tokens claim
    fully is shared among them, so one update can never replace more than the whole slot.
    """
    claims_BNT = (pattern_BTN * mask_BT[..., None].to(pattern_BTN.dtype)).transpose(1, 2)
    return claims_BNT / claims_BNT.sum(-1, keepdim=True).clamp_min(1.0)


def gated_update(
    shares_BNT: Tensor, *, gate_in_BTD: Tensor, gate_forget_BTD: Tensor, candidate_BTD: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What a segment does to each slot (eq. 6): ``bank' = keep * bank + write``.

    Returns ``(gate_in_BND, keep_BND, write_BND)``. Each is a sum over tokens, so what any slot holds unrolls
    exactly into which token put what there. With ``shares`` the identity these are the per-token gates
    and the update is the paper's, row by row.
    """
    gate_in_BND = shares_BNT @ gate_in_BTD
    keep_BND = 1.0 - shares_BNT @ (1.0 - gate_forget_BTD)
    write_BND = shares_BNT @ (gate_in_BTD * candidate_BTD)
    return gate_in_BND, keep_BND, write_BND


class RMSNorm(nn.RMSNorm):
    """Root-mean-square norm as Llama's, but fused; a name transformers knows to start at one."""


class LM2Memory(nn.Module):
    """Weights and hook points of one block's memory. Holds no state: the bank comes in and goes out."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.rms_norm_eps
        self.n_heads = config.memory_heads
        self.top_k = config.memory_top_k
        self.is_positional = config.routing == "positional"
        self.reads_token = config.candidate == "token"

        self.read_norm = RMSNorm(width, eps)
        self.bank_norm = RMSNorm(width, eps)
        self.write_norm = RMSNorm(width, eps)
        self.slot_key = nn.Parameter(torch.empty(config.memory_slots, width))  # P: a stable address
        self.q_proj = nn.Linear(width, width, bias=False)
        self.gate_out = nn.Linear(width, width)  # W_out, eq. 2
        self.gate_forget = nn.Linear(width, width)  # W_forget, eq. 5
        # Maps of one input are one matrix: a few large products are faster than many small ones.
        self.token_maps = ["gate_in"]  # W_in
        self.token_maps += ["gate_forget", "content"] if self.reads_token else []  # U_forget, W_c
        self.token_maps += [] if self.is_positional else ["route_q"]  # W_wq
        self.token_proj = nn.Linear(width, len(self.token_maps) * width, bias=False)
        n_bank_maps = 2 + (not self.is_positional)
        self.bank_proj = nn.Linear(width, n_bank_maps * width, bias=False)  # W_K, W_V, W_wk

        self.hook_read_pattern = HookPoint()  # (B,H,T,N)
        self.hook_read = HookPoint()  # (B,T,D)
        self.hook_gate_out = HookPoint()  # (B,T,D)
        self.hook_bank_pre = HookPoint()  # (B,N,D)
        self.hook_write_read = HookPoint()  # (B,T,D)
        self.hook_write_pattern = HookPoint()  # (B,T,N)
        self.hook_gate_in_token = HookPoint()  # (B,T,D)
        self.hook_gate_forget_token = HookPoint()  # (B,T,D)
        self.hook_candidate = HookPoint()  # (B,T,D)
        self.hook_gate_in = HookPoint()  # (B,N,D)
        self.hook_gate_forget = HookPoint()  # (B,N,D)
        self.hook_write = HookPoint()  # (B,N,D)
        self.hook_bank_post = HookPoint()  # (B,N,D)

    def read(self, x_BTD: Tensor, bank_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Read ``bank_BND`` with the stream after self-attention (eq. 1-2).

        Returns the gated read ``g_out * E_mem`` that joins the stream, and ``E_mem`` itself, both (B,T,D).
        """
        key_and_value = self.bank_proj.weight[: 2 * x_BTD.shape[-1]]
        k_BND, v_BND = F.linear(self.bank_norm(bank_BND), key_and_value).chunk(2, dim=-1)
        pattern_BHTN = self.hook_read_pattern(self._pattern(x_BTD, k_BND))
        read_BTD = self.hook_read(read_values(pattern_BHTN, v_BND))
        gate_BTD = self.hook_gate_out(torch.sigmoid(self.gate_out(read_BTD)))
        return gate_BTD * read_BTD, read_BTD

    def write(self, x_BTD: Tensor, read_BTD: Tensor, bank_BND: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the bank after this block's write (eq. 4-6).

        ``x_BTD`` is the stream after the read, ``read_BTD`` the block's own read. With content routing the
        bank has moved since (earlier blocks wrote), so the token looks again; with positional routing it
        has not, and the read is used as it is.
        """
        bank_BND = self.hook_bank_pre(bank_BND)
        maps_BTD = self.token_proj(self.write_norm(x_BTD)).chunk(len(self.token_maps), dim=-1)
        token = dict(zip(self.token_maps, maps_BTD, strict=True))
        if self.is_positional:
            pattern_BTN = torch.eye(bank_BND.shape[1], dtype=x_BTD.dtype, device=x_BTD.device)
            pattern_BTN = pattern_BTN.expand(len(x_BTD), -1, -1)
        else:
            k_BND, v_BND, route_k_BND = self.bank_proj(self.bank_norm(bank_BND)).chunk(3, dim=-1)
            read_BTD = read_values(self._pattern(x_BTD, k_BND), v_BND)
            scores_BTN = token["route_q"] @ (route_k_BND + self.slot_key).transpose(1, 2)
            pattern_BTN = (scores_BTN * x_BTD.shape[-1] ** -0.5).softmax(dim=-1)
        read_BTD = self.hook_write_read(read_BTD)
        pattern_BTN = self.hook_write_pattern(pattern_BTN)

        forget_BTD, candidate_BTD = self.gate_forget(read_BTD), read_BTD
        if self.reads_token:
            forget_BTD, candidate_BTD = forget_BTD + token["gate_forget"], candidate_BTD + token["content"]
        gate_in_BND, keep_BND, write_BND = gated_update(
            slot_shares(pattern_BTN, mask_BT),
            gate_in_BTD=self.hook_gate_in_token(torch.sigmoid(token["gate_in"])),
            gate_forget_BTD=self.hook_gate_forget_token(torch.sigmoid(forget_BTD)),
            candidate_BTD=self.hook_candidate(torch.tanh(candidate_BTD)),
        )
        write_BND = self._write_through_slot_gate(gate_in_BND, write_BND)
        keep_BND, write_BND = self.hook_gate_forget(keep_BND), self.hook_write(write_BND)
        return self.hook_bank_post(keep_BND * bank_BND + write_BND)

    def _write_through_slot_gate(self, gate_in_BND: Tensor, write_BND: Tensor) -> Tensor:
        """Scale the write by what a hook made of the slots' input gates; cells it left stay as they are."""
        if not self.hook_gate_in.has_hooks():
            return write_BND
        edited_BND = self.hook_gate_in(gate_in_BND.clone())  # a hook may edit in place
        tiny = torch.finfo(gate_in_BND.dtype).tiny
        scaled_BND = write_BND * edited_BND / gate_in_BND.clamp_min(tiny)
        return torch.where(edited_BND == gate_in_BND, write_BND, scaled_BND)

    def _pattern(self, x_BTD: Tensor, k_BND: Tensor) -> Tensor:
        """Read pattern of a stream over slots whose keys are ``k_BND`` before their address is added."""
        q_BTD = self.q_proj(self.read_norm(x_BTD))
        k_BND = k_BND + self.slot_key
        return read_pattern(q_BTD, k_BND, n_heads=self.n_heads, top_k=self.top_k, causal=self.is_positional)
