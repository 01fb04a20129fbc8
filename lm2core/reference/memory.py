"""The memory of the public LM2 code: its read, its gates and its update.

Source: the code published with Kang et al. 2025, arXiv:2502.06049. Row t of the bank belongs to token t, so
the numbers of tokens and slots and the width are equal, T = N = D. Parameters have the names of a public
checkpoint.

Axes: see lm2core/model/memory.py; the suffixes T, N and D say what an axis counts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from lm2core.model.attention import attention_pattern, merge_heads, split_heads, strongest


def row_read(q_BTD: Tensor, k_BND: Tensor, v_BND: Tensor, *, n_heads: int, top_k: int | None) -> Tensor:
    """What token t reads from slots 0..t, (B,T,D); ``top_k`` keeps the largest weights, not renormalised."""
    q_BHTK, k_BHNK, v_BHNK = (split_heads(x, n_heads) for x in (q_BTD, k_BND, v_BND))
    pattern_BHTN = attention_pattern(q_BHTK, k_BHNK, is_causal=True)
    if top_k is not None:
        pattern_BHTN = pattern_BHTN * strongest(pattern_BHTN, top_k)
    return merge_heads(pattern_BHTN @ v_BHNK)


def token_mean(x_BTD: Tensor, w_D: Tensor, *, causal: bool) -> Tensor:
    """Mean of ``relu(w * x)``: over all tokens, (B,1,D), or for token t over tokens 0..t, (B,T,D).

    The first is the public code's, which leaks later tokens to earlier ones.
    """
    lit_BTD = F.relu(w_D * x_BTD)
    if not causal:
        return lit_BTD.mean(dim=1, keepdim=True)
    counts_T = torch.arange(1, x_BTD.shape[1] + 1, device=x_BTD.device)
    return lit_BTD.cumsum(dim=1) / counts_T[:, None]


class InputGateProjector(nn.Module):
    """The contribution of the tokens to the gates: a linear map of their scaled, rectified mean."""

    def __init__(self, n_slots: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(n_slots))
        self.linear = nn.Linear(n_slots, 2 * n_slots)

    def forward(self, x_BTD: Tensor, *, causal: bool) -> Tensor:
        """Gate inputs, input gate first: (B,1,2D), or with ``causal`` one row per token, (B,T,2D)."""
        return self.linear(token_mean(x_BTD, self.w, causal=causal))


class ReferenceMemory(nn.Module):
    """One block's memory: ``(attention output, bank) -> (output, next bank)``. Holds no state.

    Parameters
    ----------
    n_slots : int
        N, which is also the number of tokens and the width.
    n_heads : int
        Heads of the read; must divide ``n_slots``.
    top_k : int or None
        Largest weights of a read that are used, not renormalised. None: all.
    causal_gates : bool
        Replace the gates' mean over the whole text by a running mean, so that no token sees later ones.
    """

    def __init__(
        self, n_slots: int, n_heads: int, *, top_k: int | None = None, causal_gates: bool = False
    ) -> None:
        super().__init__()
        self.n_heads, self.top_k, self.causal_gates = n_heads, top_k, causal_gates
        self.query_proj = nn.Linear(n_slots, n_slots)
        self.key_proj = nn.Linear(n_slots, n_slots)
        self.value_proj = nn.Linear(n_slots, n_slots)
        # Used twice. A public checkpoint stores it as attention_mlp.0 and as attention_mlp.1.
        self.attention_mlp = nn.ModuleList([nn.Linear(n_slots, n_slots)])
        self.attended_memory_layernorm = nn.LayerNorm(n_slots)
        self.attended_memory_layernorm2 = nn.LayerNorm(n_slots)
        self.input_gate_projector = InputGateProjector(n_slots)
        self.memory_gate_projector = nn.ModuleDict({"linear": nn.Linear(n_slots, 2 * n_slots)})
        self.input_bias = nn.Parameter(torch.empty(()))
        self.forget_bias = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the public code's initial values, except for weights that transformers has just loaded."""
        for linear in (module for module in self.modules() if isinstance(module, nn.Linear)):
            bound = linear.in_features**-0.5  # torch's default
            if linear is self.memory_gate_projector["linear"]:
                bound = linear.out_features**-0.5
            init.uniform_(linear.weight, -bound, bound)
            init.uniform_(linear.bias, -bound, bound)
        init.normal_(self.input_gate_projector.w)
        init.zeros_(self.input_bias)
        init.ones_(self.forget_bias)

    def attended(self, x_BTD: Tensor, bank_BND: Tensor) -> Tensor:
        """The candidate before tanh, (B,N,D): the bank plus each token's read in its row, then an MLP."""
        q_BTD, k_BND, v_BND = self.query_proj(x_BTD), self.key_proj(bank_BND), self.value_proj(bank_BND)
        read_BTD = row_read(q_BTD, k_BND, v_BND, n_heads=self.n_heads, top_k=self.top_k)
        h_BND = self.attended_memory_layernorm(bank_BND + read_BTD)
        mlp = self.attention_mlp[0]
        return self.attended_memory_layernorm2(h_BND + F.relu(mlp(F.relu(mlp(h_BND)))))

    def gates(self, x_BTD: Tensor, bank_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Input gate and forget gate, each (B,N,D) in [0, 1]."""
        from_bank_BNE = self.memory_gate_projector["linear"](torch.tanh(bank_BND))
        from_tokens_BNE = self.input_gate_projector(x_BTD, causal=self.causal_gates)
        gate_in_BND, gate_forget_BND = (from_bank_BNE + from_tokens_BNE).chunk(2, dim=-1)
        return torch.sigmoid(gate_in_BND + self.input_bias), torch.sigmoid(gate_forget_BND + self.forget_bias)

    def forward(self, x_BTD: Tensor, bank_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output for the stream, (B,T,D), and the next bank, (B,N,D)."""
        gate_in_BND, gate_forget_BND = self.gates(x_BTD, bank_BND)
        candidate_BND = torch.tanh(self.attended(x_BTD, bank_BND))
        next_BND = gate_in_BND * candidate_BND + gate_forget_BND * bank_BND
        return x_BTD + next_BND, next_BND
