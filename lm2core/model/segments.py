"""Texts of any length to segments and back.

Axes: see memory.py, plus S segments of a text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """A batch of texts cut into segments, and the way back to its original shape.

    mask_BST : None if every segment is full
    place : in the shape of the texts, the place of each token in its row of segments; None: in order
    is_given : the texts were given as segments (B,S,T)
    n_in_last : tokens of the last segment, where they are known without reading a mask
    """

    ids_BST: Tensor
    mask_BST: Tensor | None
    place: Tensor | None
    is_given: bool
    n_in_last: int | None = None

    @classmethod
    def of(cls, ids: Tensor, mask: Tensor | None, length: int) -> "Segments":
        """Cut flat texts (B,T) every ``length`` tokens; keep given segments (B,S,T).

        Padding is removed first, so it cannot move segment boundaries, and segments are padded on the right
        only. The last segments of all texts are aligned: shorter texts begin with empty segments, which leave
        their bank unchanged.
        """
        if mask is None and ids.ndim == 3:
            return cls(ids, None, None, True)
        if mask is None and ids.shape[1] % length == 0:
            return cls(ids.unflatten(1, (-1, length)), None, None, False)
        n_in_last = (ids.shape[1] - 1) % length + 1 if mask is None else None
        mask = torch.ones_like(ids) if mask is None else mask
        if ids.ndim == 3:
            ids_PST, mask_PST, place_PT = _pack(ids.flatten(0, 1), mask.flatten(0, 1), ids.shape[-1])
            return cls(ids_PST.view(ids.shape), mask_PST.view(ids.shape), place_PT.view(ids.shape), True)
        return cls(*_pack(ids, mask, length), False, n_in_last)

    def __len__(self) -> int:
        return self.ids_BST.shape[1]

    def __getitem__(self, s: int) -> tuple[Tensor, Tensor | None]:
        """Ids and mask (B,T) of segment ``s``; no mask if it has no padding.

        Copies: torch would compile a segment a second time because a view of the next one has another offset.
        """
        return self.ids_BST[:, s].clone(), None if self.mask_BST is None else self.mask_BST[:, s].clone()

    def last(self) -> tuple[Tensor, Tensor]:
        """Ids and mask of the last segment, without trailing columns of padding."""
        ids_BT, mask_BT = self[len(self) - 1]
        if mask_BT is None:
            return ids_BT, torch.ones_like(ids_BT)
        n_tokens = self.n_in_last or max(1, int((mask_BT != 0).sum(1).max()))
        return ids_BT[:, :n_tokens], mask_BT[:, :n_tokens]

    def first_needed(self, n_last: int) -> int:
        """Index of the first segment needed for the last ``n_last`` given segments, or columns of flat texts;
        ``n_last`` 0 means all. Of padded texts it may be one too early, because their lengths are not read.
        """
        if not n_last:
            return 0
        if self.is_given:
            return max(0, len(self) - n_last)
        if self.place is None:
            return max(0, self.ids_BST[0].numel() - n_last) // self.ids_BST.shape[-1]
        # The last columns hold at most as many tokens, of which the last one is in the last segment.
        size = self.ids_BST.shape[-1]
        return max(0, (len(self) - 1) * size - n_last + 1) // size

    def restore(self, streams: Sequence[Tensor], *, first: int = 0, n_last: int = 0) -> Tensor:
        """Streams (B,T,D) from segment ``first`` on, in the shape of the texts or of the part needed."""
        if self.place is None:
            return (
                torch.stack(list(streams), 1) if self.is_given else torch.cat(list(streams), 1)[:, -n_last:]
            )
        if self.is_given:
            x, place = torch.stack(list(streams), 1), self.place[:, first:]
        else:
            x, place = torch.cat(list(streams), 1), self.place[:, -n_last:] - first * self.ids_BST.shape[-1]
        place = place.clamp(0, x.shape[-2] - 1)  # padding has no place; its values are not used
        return x.gather(-2, place[..., None].expand(*x.shape[:-2], -1, x.shape[-1]))  # one text, many banks

    def restore_patterns(self, patterns: Sequence[Tensor]) -> Tensor:
        """Attention weights (B,H,T,T) of each segment in the shape of the texts: (B,H,T,T), zero between
        segments, or (B,S,H,T,T) for given ones. Padding has weight zero.
        """
        x = torch.stack(list(patterns), 1) if self.is_given else _block_diagonal(patterns)
        if self.place is None:
            return x
        n_places = self.ids_BST.shape[-1] * (1 if self.is_given else len(self))
        is_token = (self.place < n_places).unsqueeze(-2)  # (B,1,T), or (B,S,1,T)
        place = self.place.unsqueeze(-2).clamp(0, x.shape[-1] - 1)
        place = place.expand(*x.shape[:-2], -1)  # (B,H,T), or (B,S,H,T)
        x = x.gather(-2, place[..., None].expand(*place.shape, x.shape[-1]))
        x = x.gather(-1, place[..., None, :].expand(*place.shape, place.shape[-1]))
        return x * (is_token[..., None] & is_token[..., None, :]).to(x.dtype)


class Given(NamedTuple):
    """Embeddings of a batch's columns, and positions, where the caller gives them instead of ids.

    embeds_BCD : one row a column; C = T, or S * T for a text given in segments
    positions_BC : None: counted in each segment
    """

    embeds_BCD: Tensor
    positions_BC: Tensor | None

    @classmethod
    def of(cls, embeds: Tensor, positions: Tensor | None) -> "Given":
        """From embeddings (B,T,D) or (B,S,T,D), and positions of their shape or (1,T)."""
        if positions is not None:
            positions = positions.expand(embeds.shape[:-1]).flatten(1)
        return cls(embeds.flatten(1, -2), positions)

    @staticmethod
    def columns(embeds: Tensor) -> Tensor:
        """Numbers (B,T) or (B,S,T) of the columns, which are cut into segments in place of ids."""
        shape = embeds.shape[1:-1]
        numbers = torch.arange(shape.numel(), device=embeds.device).view(shape)
        return numbers.expand(embeds.shape[:-1])

    def at(self, columns_BT: Tensor) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B,T,D) and positions (B,T) of some columns."""
        rows = columns_BT[..., None].expand(*columns_BT.shape, self.embeds_BCD.shape[-1])
        at_BT = None if self.positions_BC is None else self.positions_BC.gather(1, columns_BT)
        return self.embeds_BCD.gather(1, rows), at_BT


def last_token(mask_BT: Tensor | None, ids_BT: Tensor) -> Tensor:
    """The column of each text's last token, (B,); 0 if it has none. ``mask_BT`` None: no padding."""
    if mask_BT is None:
        return ids_BT.new_full((len(ids_BT),), ids_BT.shape[1] - 1)
    columns = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    return ((mask_BT != 0) * columns).amax(1)


def _block_diagonal(patterns: Sequence[Tensor]) -> Tensor:
    """Square matrices (B,H,T,T) along the diagonal of one, in order."""
    n = sum(pattern.shape[-1] for pattern in patterns)
    whole = patterns[0].new_zeros(*patterns[0].shape[:2], n, n)
    start = 0
    for pattern in patterns:
        end = start + pattern.shape[-1]
        whole[..., start:end, start:end] = pattern
        start = end
    return whole


def _pack(ids_BT: Tensor, mask_BT: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask (B,S,size) without padding between tokens, and each token's place in its row."""
    n_BT = (mask_BT != 0).long().cumsum(1)
    n_segments = math.ceil(ids_BT.shape[1] / size)
    n_empty = n_segments - (n_BT[:, -1:] + size - 1) // size
    nowhere = n_segments * size  # an extra column for padding, removed below
    place_BT = torch.where(mask_BT != 0, n_empty * size + n_BT - 1, nowhere)
    packed = (
        torch.zeros(len(x), nowhere + 1, dtype=x.dtype, device=x.device).scatter(1, place_BT, x)
        for x in (ids_BT, mask_BT)
    )
    ids_BST, mask_BST = (x[:, :nowhere].unflatten(1, (-1, size)) for x in packed)
    return ids_BST, mask_BST, place_BT
