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

from lm2core.model.attention import attend, attention_pattern, merge_heads, split_heads, strongest
from lm2core.model.config import LM2Config
from lm2core.model.memory_path import MemoryPath
from lm2core.model.norm import RMSNorm


def initial_bank(batch_size: int, n_slots: int, width: int, *, like: Tensor) -> Tensor:
    """Rows of the identity, (B,N,D): slots that start equal would stay equal.

    With more slots than width the rows repeat; the learned slot keys then distinguish them.
    """
    rows = torch.arange(n_slots, device=like.device) % width
    eye_ND = F.one_hot(rows, width).to(like.dtype)
    # Rows of its own, as every later bank has: torch would compile a segment once more for an expanded one.
    return eye_ND.repeat(batch_size, 1, 1)


def slot_shares(pattern_BTN: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Routing R, (B,N,T): the share of token t in the update of slot n; rows sum to at most 1.

    ``pattern_BTN`` is P(slot | token). Padding (mask 0; None: no padding) writes nothing. A slot that several
    tokens claim is shared among them, so that one update never replaces more than the whole slot.
    """
    if mask_BT is not None:
        pattern_BTN = pattern_BTN * mask_BT[..., None].to(pattern_BTN.dtype)
    claims_BNT = pattern_BTN.transpose(1, 2)
    return claims_BNT / claims_BNT.sum(-1, keepdim=True).clamp_min(1.0)


def route(shares: Tensor | None, x_BTD: Tensor) -> Tensor:
    """Route token values to slots: ``R x``, (B,N,D).

    ``shares`` is R (B,N,T), or its diagonal (B,T) if slot t receives from token t only; None: the identity.
    """
    if shares is None:
        return x_BTD
    return shares[..., None] * x_BTD if shares.ndim == 2 else shares @ x_BTD


def gated_update(
    shares: Tensor | None, *, gate_in_BTD: Tensor, gate_forget_BTD: Tensor, candidate_BTD: Tensor
) -> tuple[Tensor, Tensor]:
    """The update of each slot by a segment (eq. 6): ``bank' = keep * bank + write``.

    Returns ``(keep_BND, write_BND)``. Both are sums over tokens, so the content of any slot unrolls exactly
    into the contributions of tokens. With ``shares`` the identity, this is the paper's update, row by row.
    """
    keep_BND = 1.0 - route(shares, 1.0 - gate_forget_BTD)
    write_BND = route(shares, gate_in_BTD * candidate_BTD)
    return keep_BND, write_BND


class LowRankLinear(nn.Module):
    """A linear map of low rank: ``down`` to ``rank`` features, then ``up`` to the width, with a bias."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    @property
    def bias(self) -> Tensor:
        """The bias (D,), as of a layer of full rank."""
        return self.up.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., D)."""
        return self.up(self.down(x))


class LM2Memory(nn.Module):
    """Weights and hook points of one block's memory. Holds no state: the bank is passed in and returned."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        width, eps, rank = config.bank_width, config.rms_norm_eps, config.memory_gate_rank
        self.n_heads = config.memory_heads
        self.top_k = config.memory_top_k
        self.is_positional = config.routing == "positional"
        self.reads_token = config.candidate == "token"

        self.path = MemoryPath(config) if config.memory_width is not None else None
        self.read_norm = RMSNorm(width, eps)
        self.bank_norm = RMSNorm(width, eps)
        self.write_norm = RMSNorm(width, eps)
        self.slot_key = nn.Parameter(torch.empty(config.memory_slots, width))  # P: a stable address
        self.q_proj = nn.Linear(width, width, bias=False)
        self.gate_out = LowRankLinear(width, rank) if rank else nn.Linear(width, width)  # W_out, eq. 2
        self.gate_forget = LowRankLinear(width, rank) if rank else nn.Linear(width, width)  # W_forget, eq. 5
        # Maps of the same input share one matrix: few large products are faster than many small ones.
        self.token_maps = {"gate_in": rank or width}  # W_in
        if self.reads_token:
            self.token_maps |= {"gate_forget": rank or width, "content": width}  # U_forget, W_c
        if not self.is_positional:
            self.token_maps["route_q"] = width  # W_wq
        self.token_proj = nn.Linear(width, sum(self.token_maps.values()), bias=False)
        # For low-rank gates token_proj holds the first factor, these the second.
        thin = [name for name in ("gate_in", "gate_forget") if rank and name in self.token_maps]
        self.token_gates = nn.ModuleDict({name: nn.Linear(rank or 1, width, bias=False) for name in thin})
        n_bank_maps = 2 + (not self.is_positional)
        self.bank_proj = nn.Linear(width, n_bank_maps * width, bias=False)  # W_K, W_V, W_wk

        self.hook_read_pattern = HookPoint()  # (B,H,T,N)
        self.hook_read = HookPoint()  # (B,T,D)
        self.hook_gate_out = HookPoint()  # (B,T,D)
        self.hook_bank_pre = HookPoint()  # (B,N,D)
        if not self.is_positional:  # positional routing reuses the block's own read
            self.hook_write_read_pattern = HookPoint()  # (B,H,T,N)
        self.hook_write_read = HookPoint()  # (B,T,D)
        self.hook_write_pattern = HookPoint()  # (B,T,N)
        self.hook_gate_in_token = HookPoint()  # (B,T,D)
        self.hook_gate_forget_token = HookPoint()  # (B,T,D)
        self.hook_candidate = HookPoint()  # (B,T,D)
        self.hook_gate_in = HookPoint()  # (B,N,D)
        self.hook_gate_forget = HookPoint()  # (B,N,D)
        self.hook_write = HookPoint()  # (B,N,D)
        self.hook_bank_post = HookPoint()  # (B,N,D)

    def slots(self, bank_BND: Tensor, address: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B,N,D) of the slots for reads; constant within a segment.

        ``address`` holds the rows of P, ``slot_key``, that belong to the rows of the bank.
        """
        # The whole layer is called, routing keys and all: adapters and quantization wrap layers, not weights.
        k_BND, v_BND = self.bank_proj(self.bank_norm(bank_BND)).split(bank_BND.shape[-1], dim=-1)[:2]
        return k_BND + address, v_BND

    def read(
        self, x_BTD: Tensor, slots: tuple[Tensor, Tensor], visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read the bank with the stream after self-attention (eq. 1-2).

        ``visible`` (B,1,T,N) is True where a token may attend; None: everywhere, or with positional routing
        slots 0..t. Returns the gated read ``g_out * E_mem``, for the stream, and ``E_mem``; (B,T,D) each.
        """
        read_BTD = self.hook_read(self._attend_slots(x_BTD, slots, visible, hook=self.hook_read_pattern))
        gate_BTD = self.hook_gate_out(torch.sigmoid(self.gate_out(read_BTD)))
        return gate_BTD * read_BTD, read_BTD

    def write(
        self, x_BTD: Tensor, bank_BND: Tensor, mask_BT: Tensor | None, read_BTD: Tensor | None = None
    ) -> Tensor:
        """Return the bank after this block's write (eq. 4-6) of the stream ``x_BTD`` after the read.

        ``mask_BT`` is 0 for padding; None: no padding.

        With content routing the bank has changed since the read (earlier blocks wrote), so tokens read again.
        With positional routing it has not: ``read_BTD`` is the block's own read, and the rows of the bank are
        those of the tokens.
        """
        bank_BND = self.hook_bank_pre(bank_BND)
        maps_BTD = self.token_proj(self.write_norm(x_BTD)).split(list(self.token_maps.values()), dim=-1)
        token = dict(zip(self.token_maps, maps_BTD, strict=True))
        token |= {name: gate(token[name]) for name, gate in self.token_gates.items()}
        if read_BTD is None:
            k_BND, v_BND, route_k_BND = self.bank_proj(self.bank_norm(bank_BND)).chunk(3, dim=-1)
            slots = k_BND + self.slot_key, v_BND
            read_BTD = self._attend_slots(x_BTD, slots, hook=self.hook_write_read_pattern)
            scores_BTN = token["route_q"] @ (route_k_BND + self.slot_key).transpose(1, 2)
            token["route"] = (scores_BTN * x_BTD.shape[-1] ** -0.5).softmax(dim=-1)
        read_BTD = self.hook_write_read(read_BTD)

        forget_BTD, candidate_BTD = self.gate_forget(read_BTD), read_BTD
        if self.reads_token:
            forget_BTD, candidate_BTD = forget_BTD + token["gate_forget"], candidate_BTD + token["content"]
        gate_in_BTD = self.hook_gate_in_token(torch.sigmoid(token["gate_in"]))
        shares = self._shares(token.get("route"), bank_BND, mask_BT)
        keep_BND, write_BND = gated_update(
            shares,
            gate_in_BTD=gate_in_BTD,
            gate_forget_BTD=self.hook_gate_forget_token(torch.sigmoid(forget_BTD)),
            candidate_BTD=self.hook_candidate(torch.tanh(candidate_BTD)),
        )
        if self.hook_gate_in.has_hooks():
            write_BND = self._through_slot_gate(route(shares, gate_in_BTD), write_BND)
        keep_BND, write_BND = self.hook_gate_forget(keep_BND), self.hook_write(write_BND)
        return self.hook_bank_post(keep_BND * bank_BND + write_BND)

    def _attend_slots(
        self,
        x_BTD: Tensor,
        slots: tuple[Tensor, Tensor],
        visible: Tensor | None = None,
        hook: HookPoint | None = None,
    ) -> Tensor:
        """What each token reads from the slots (eq. 1), (B,T,D)."""
        q = split_heads(self.q_proj(self.read_norm(x_BTD)), self.n_heads)
        k, v = (split_heads(x, self.n_heads) for x in slots)
        q = q.expand(len(k), -1, -1, -1)  # one text may read many banks
        is_causal = self.is_positional and visible is None
        if self.top_k is not None:
            pattern = attention_pattern(q, k, visible=visible, is_causal=is_causal)
            visible, is_causal = strongest(pattern, min(self.top_k, k.shape[2])), False
        return merge_heads(attend(q, k, v, visible=visible, is_causal=is_causal, hook=hook))

    def _shares(self, route_BTN: Tensor | None, bank_BND: Tensor, mask_BT: Tensor | None) -> Tensor | None:
        """Routing R of the segment's tokens; with positional routing its diagonal, unless hooks need R."""
        if route_BTN is None:
            if not self.hook_write_pattern.has_hooks():
                return None if mask_BT is None else mask_BT.to(bank_BND.dtype)
            route_BTN = torch.eye(bank_BND.shape[1], dtype=bank_BND.dtype, device=bank_BND.device)
            route_BTN = route_BTN.expand(len(bank_BND), -1, -1)
        return slot_shares(self.hook_write_pattern(route_BTN), mask_BT)

    def _through_slot_gate(self, gate_in_BND: Tensor, write_BND: Tensor) -> Tensor:
        """Scale the write by how a hook edited the slots' input gates; unedited cells stay exactly equal."""
        edited_BND = self.hook_gate_in(gate_in_BND.clone())  # a hook may edit in place
        tiny = torch.finfo(gate_in_BND.dtype).tiny
        scaled_BND = write_BND * edited_BND / gate_in_BND.clamp_min(tiny)
        return torch.where(edited_BND == gate_in_BND, write_BND, scaled_BND)
