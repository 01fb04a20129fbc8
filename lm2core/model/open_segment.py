"""The segment in the making: what generation carries from token to token, as a value.

Axes: see memory.py, plus G key heads, and J tokens so far of a segment.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lm2core.model.window import KeysAndValues, Window

SlotsOfBlocks = tuple[KeysAndValues | None, ...]  # what each block reads of a bank; None: it has no memory


@dataclass(frozen=True)
class BlockState:
    """What one block keeps of an open segment; None: nothing yet, or it has no use for it.

    attention : keys and values of self-attention, (B,J,G,K)
    rows : with positional routing keys and values of the tokens' rows of the bank, (B,J,D)
    stream : with content routing what will be written, (B,J,D)
    slots : with content routing keys and values of the bank's slots, (B,N,D)
    path : keys and values of self-attention in the memory's own path, (B,J,G,K)
    """

    attention: KeysAndValues | None = None
    rows: KeysAndValues | None = None
    stream: Tensor | None = None
    slots: KeysAndValues | None = None
    path: KeysAndValues | None = None

    def of_stories(self, rows: Tensor) -> "BlockState":
        """The same for other rows of the batch."""
        pairs = (self.attention, self.rows, self.slots, self.path)
        attention, own_rows, slots, path = (_pick(pair, rows) for pair in pairs)
        stream = None if self.stream is None else self.stream[rows]
        return BlockState(attention, own_rows, stream, slots, path)

    def of_columns(self, retained: Tensor) -> "BlockState":
        """The same with some of its tokens' columns."""
        at = (slice(None), retained)
        stream = None if self.stream is None else self.stream[at]
        attention, own_rows, path = (_pick(pair, at) for pair in (self.attention, self.rows, self.path))
        return BlockState(attention, own_rows, stream, self.slots, path)


def join(past_BJ: Tensor | None, new_BT: Tensor) -> Tensor:
    """The columns of a segment's tokens so far with those of the tokens that follow."""
    return new_BT if past_BJ is None else torch.cat([past_BJ, new_BT], dim=1)


def join_pair(past: KeysAndValues | None, new: KeysAndValues) -> KeysAndValues:
    """Keys and values of a segment's tokens so far with those of the tokens that follow."""
    return new if past is None else (join(past[0], new[0]), join(past[1], new[1]))


def tokens_at(x_BT: Tensor, at_B: Tensor) -> Tensor:
    """One token of each text, (B,1,...)."""
    return x_BT[torch.arange(len(x_BT), device=at_B.device), at_B][:, None]


def _pick(pair: KeysAndValues | None, at: Any) -> KeysAndValues | None:
    """Both of a pair at an index."""
    return None if pair is None else (pair[0][at], pair[1][at])


@dataclass(frozen=True)
class OpenSegment:
    """A segment in the making: what its next token and its write need of the tokens so far. A value.

    bank_BND : the bank from before the segment
    mask_BJ : 1 for tokens of the segment, 0 for padding and for what an earlier segment left behind
    blocks : what each block keeps
    n_room : columns that can follow before any text's segment could be full; counted here, so that no token
        waits for the device to tell
    n_seen : columns of the text up to here
    rows_BJD : with positional routing the tokens' rows of the bank, as the last block left them
    window : what self-attention sees of the tokens before the segment; None: nothing
    """

    is_compileable = False  # transformers asks this of a cache: it grows within a segment

    bank_BND: Tensor
    mask_BJ: Tensor
    blocks: tuple[BlockState, ...]
    n_room: int
    n_seen: int = 0
    rows_BJD: Tensor | None = None
    window: Window | None = None

    @classmethod
    def start(
        cls,
        bank_BND: Tensor,
        *,
        n_blocks: int,
        n_room: int,
        n_seen: int = 0,
        slots: SlotsOfBlocks | None = None,
        window: Window | None = None,
    ) -> "OpenSegment":
        """A segment without tokens, to be read from ``bank_BND``; ``slots`` if they are known."""
        mask_BJ = bank_BND.new_ones(len(bank_BND), 0, dtype=torch.long)
        blocks = tuple(BlockState(slots=own) for own in slots or [None] * n_blocks)
        return cls(bank_BND, mask_BJ, blocks, n_room, n_seen, window=window)

    def get_seq_length(self) -> int:
        """Columns of the text up to here; transformers asks this of a cache."""
        return self.n_seen

    def n_tokens(self) -> Tensor:
        """Tokens of the segment so far, (B,)."""
        return (self.mask_BJ != 0).sum(1)

    def positions(self, mask_BT: Tensor) -> Tensor:
        """Where the tokens that follow stand in the segment, (B,T)."""
        n_BT = self.n_tokens()[:, None] + (mask_BT != 0).long().cumsum(1)
        return (n_BT - 1).clamp_min(0)

    def visible(self, mask_BT: Tensor) -> Tensor:
        """True where the tokens that follow may look, (B,1,T,J+T): at tokens up to themselves."""
        n_tokens, n_past = mask_BT.shape[1], self.mask_BJ.shape[1]
        is_token = torch.cat([self.mask_BJ, mask_BT], dim=1)[:, None, None] != 0
        past = torch.ones(n_tokens, n_past + n_tokens, dtype=torch.bool, device=mask_BT.device).tril(n_past)
        itself = past & ~past.tril(n_past - 1)  # padding looks at itself: no row may be empty
        return is_token & past | itself

    def of_stories(self, rows: Tensor) -> "OpenSegment":
        """The same for other rows of the batch, e.g. the beams that go on."""
        blocks = tuple(block.of_stories(rows) for block in self.blocks)
        rows_BJD = None if self.rows_BJD is None else self.rows_BJD[rows]
        return replace(
            self,
            bank_BND=self.bank_BND[rows],
            mask_BJ=self.mask_BJ[rows],
            blocks=blocks,
            rows_BJD=rows_BJD,
            window=None if self.window is None else self.window.of_stories(rows),
        )

    def without_gaps(self) -> "OpenSegment":
        """The same without columns that hold a token of no story."""
        retained = (self.mask_BJ != 0).any(0)
        blocks = tuple(block.of_columns(retained) for block in self.blocks)
        rows_BJD = None if self.rows_BJD is None else self.rows_BJD[:, retained]
        return replace(self, mask_BJ=self.mask_BJ[:, retained], blocks=blocks, rows_BJD=rows_BJD)

    def attention(self) -> list[KeysAndValues]:
        """Keys and values of each block's self-attention, for the tokens of the segment so far."""
        return [block.attention for block in self.blocks if block.attention is not None]

    def closed(self, is_full: Tensor, bank_BND: Tensor, window: Window | None) -> "OpenSegment":
        """After the write to ``bank_BND``: texts with ``is_full`` (B,) begin a segment, the others go on."""
        mask_BJ = self.mask_BJ.masked_fill(is_full[:, None], 0)
        blocks = tuple(replace(block, slots=None) for block in self.blocks)
        return replace(self, bank_BND=bank_BND, mask_BJ=mask_BJ, blocks=blocks, window=window)

    def with_room(self, length: int) -> "OpenSegment":
        """The same with the room that its texts have in segments of ``length`` tokens, and without gaps."""
        return replace(self.without_gaps(), n_room=length - int(self.n_tokens().max()))
