"""The sliding window: keys and values of the tokens before a segment that self-attention still sees.

A value, passed in and returned like the bank. The first tokens of the text stay in it: trained Llamas rest
their attention on them, and fail without these sinks (Xiao et al. 2023, arXiv:2309.17453).

Axes: see memory.py, plus G key heads, J columns, and W columns of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, rotate_half

KeysAndValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Window:
    """Keys and values of W tokens before a segment: the text's first ones, then the newest on the right.

    mask_BW : 1 for tokens, 0 where the text has not had so many yet
    blocks : of each block's self-attention, (B,W,G,K); the keys are rotated to -W, ..., -1
    """

    mask_BW: Tensor
    blocks: tuple[KeysAndValues, ...]

    def visible(self, visible: Tensor | None, n_tokens: int) -> Tensor:
        """True where tokens of the segment may look, (B,1,T,W+J): at all of the window, then as ``visible``.

        ``visible`` is (B,1,T,J) or broadcasts to it; None: at the segment's ``n_tokens`` up to themselves.
        """
        if visible is None:
            ones = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=self.mask_BW.device)
            visible = ones.tril()[None, None]
        before = (self.mask_BW != 0)[:, None, None].expand(-1, -1, visible.shape[2], -1)
        return torch.cat([before, visible.expand(len(before), -1, -1, -1)], dim=-1)

    def detach(self) -> "Window":
        """The same without its history of gradients."""
        return Window(self.mask_BW, tuple((k.detach(), v.detach()) for k, v in self.blocks))

    def of_stories(self, rows: Tensor) -> "Window":
        """The same for other rows of the batch."""
        return Window(self.mask_BW[rows], tuple((k[rows], v[rows]) for k, v in self.blocks))


def window_after(
    before: Window | None,
    segment: Sequence[KeysAndValues],
    mask_BJ: Tensor | None,
    rotary: LlamaRotaryEmbedding,
    *,
    width: int,
    n_sinks: int,
    is_counted: bool,
    is_full: Tensor | None = None,
) -> Window:
    """The window behind a segment with these keys and values (B,J,G,K) of its blocks.

    It has the text's first ``n_sinks`` tokens and its last ``width`` ones.

    before : the window of the segment; None: the text begins with it
    mask_BJ : 1 for the segment's tokens; None: it has no padding
    is_counted : positions begin anew in each segment, so that keys are rotated back by its length; False:
        they were given, and count on
    is_full : (B,) texts whose segment is over; the window of the others stays; None: all are
    """
    keys = segment[0][0]
    n_texts, n_columns = keys.shape[:2]
    size = n_sinks + width
    before = before or _empty(segment, size)
    own = keys.new_ones(n_texts, n_columns, dtype=torch.long) if mask_BJ is None else (mask_BJ != 0).long()
    mask = torch.cat([before.mask_BW, own], dim=1)
    n_before, n_new = before.mask_BW.sum(1, keepdim=True), own.sum(1, keepdim=True)
    n_all = n_before + n_new
    # Which token of all comes into each column: they stand on the right, the first ones beside the last ones.
    token_BW = torch.arange(size, device=keys.device) - size + n_all
    stays_BW = token_BW < n_sinks + n_all - n_all.clamp(max=size)
    token_BW = torch.where(stays_BW, token_BW - n_all + n_all.clamp(max=size), token_BW)
    in_order = mask.argsort(dim=1, descending=True, stable=True)
    order_BW = in_order.gather(1, token_BW.clamp_min(0))
    # The first tokens never stand further back than the window reaches.
    turn_BW = torch.where(stays_BW, n_before - n_all.clamp(max=size), -n_new)
    turn = _turn(turn_BW, rotary, keys) if is_counted else None
    blocks = []
    for (k_before, v_before), (k, v) in zip(before.blocks, segment, strict=True):
        k_BWGK = _columns(torch.cat([k_before, k], dim=1), order_BW)
        v_BWGK = _columns(torch.cat([v_before, v], dim=1), order_BW)
        blocks.append((k_BWGK if turn is None else _turned(k_BWGK, *turn), v_BWGK))
    after = Window((token_BW >= 0).long(), tuple(blocks))
    return after if is_full is None else _where(is_full, after, before)


def _empty(segment: Sequence[KeysAndValues], size: int) -> Window:
    """The window of a text that has just begun."""
    keys = segment[0][0]
    mask_BW = keys.new_zeros(len(keys), size, dtype=torch.long)
    return Window(mask_BW, tuple((k.new_zeros(len(k), size, *k.shape[2:]),) * 2 for k, _ in segment))


def _columns(x_BJGK: Tensor, order_BW: Tensor) -> Tensor:
    """Some columns, in this order."""
    return x_BJGK.gather(1, order_BW[..., None, None].expand(*order_BW.shape, *x_BJGK.shape[2:]))


def _turn(by_BW: Tensor, rotary: LlamaRotaryEmbedding, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine (B,W,1,K) that rotate keys by so many positions, in float32."""
    cos, sin = rotary(like.float(), by_BW)
    scale = rotary.attention_scaling  # of some kinds of positions; the keys have it already
    return cos[:, :, None] / scale, sin[:, :, None] / scale


def _turned(k_BWGK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotated keys, rotated further."""
    k = k_BWGK.float()
    return (k * cos + rotate_half(k) * sin).to(k_BWGK.dtype)


def _where(is_first: Tensor, first: Window, second: Window) -> Window:
    """For each text the one window or the other."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(is_first.view(-1, *[1] * (a.ndim - 1)), a, b)

    blocks = tuple(
        (choose(k1, k2), choose(v1, v2))
        for (k1, v1), (k2, v2) in zip(first.blocks, second.blocks, strict=True)
    )
    return Window(choose(first.mask_BW, second.mask_BW), blocks)
