"""Attention whose weights pass through a hook point, for both self-attention and the memory read.

Source: eq. 1 of Kang et al. 2025, arXiv:2502.06049. Axes: see memory.py, plus J keys (tokens, or slots) and
G heads of the keys, which divide the H heads of the queries.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from transformer_lens.hook_points import HookPoint


def attend(
    q_BHTK: Tensor,
    k_BGJK: Tensor,
    v_BGJK: Tensor,
    *,
    visible: Tensor | None = None,
    is_causal: bool = False,
    hook: HookPoint | None = None,
) -> Tensor:
    """``softmax(q k^T / sqrt(K)) v``, (B,H,T,K), by torch's fused kernel.

    ``visible`` (broadcast to (B,H,T,J)) is True where a query may attend, to at least one key; ``is_causal``
    lets query t see keys 0..t. The fused kernel does not expose its weights, so for ``hook`` they are
    computed separately: recording them does not change the result, and an edit adds exactly its own effect.
    """
    shared = q_BHTK.shape[1] != k_BGJK.shape[1]
    out_BHTK = F.scaled_dot_product_attention(
        q_BHTK, k_BGJK, v_BGJK, attn_mask=visible, is_causal=is_causal, enable_gqa=shared
    )
    if hook is None or not hook.has_hooks():
        return out_BHTK
    n_repeats = q_BHTK.shape[1] // k_BGJK.shape[1]
    pattern_BHTJ = attention_pattern(
        q_BHTK, k_BGJK.repeat_interleave(n_repeats, dim=1), visible=visible, is_causal=is_causal
    )
    edited_BHTJ = hook(pattern_BHTJ.clone())  # a hook may edit in place
    return out_BHTK + (edited_BHTJ - pattern_BHTJ) @ v_BGJK.repeat_interleave(n_repeats, dim=1)


def attention_pattern(
    q_BHTK: Tensor, k_BHJK: Tensor, *, visible: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """The weights of ``attend``, (B,H,T,J): rows sum to 1 over the visible keys."""
    scores_BHTJ = (q_BHTK @ k_BHJK.transpose(-1, -2)) * q_BHTK.shape[-1] ** -0.5
    if is_causal:
        future = torch.ones(scores_BHTJ.shape[-2:], dtype=torch.bool, device=q_BHTK.device).triu(1)
        visible = ~future if visible is None else visible & ~future
    if visible is not None:
        scores_BHTJ = scores_BHTJ.masked_fill(~visible, -torch.inf)
    return scores_BHTJ.softmax(dim=-1)


def strongest(pattern_BHTJ: Tensor, top_k: int) -> Tensor:
    """True at the ``top_k`` keys with the largest weights of each query, if the weight is above zero."""
    top = pattern_BHTJ.topk(top_k, dim=-1).indices
    is_kept = torch.zeros_like(pattern_BHTJ, dtype=torch.bool).scatter(-1, top, True)
    return is_kept & (pattern_BHTJ > 0)


def split_heads(x_BTD: Tensor, n_heads: int) -> Tensor:
    """(B,T,H*K) to (B,H,T,K)."""
    return x_BTD.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x_BHTK: Tensor) -> Tensor:
    """(B,H,T,K) to (B,T,H*K)."""
    return x_BHTK.transpose(1, 2).flatten(-2)
