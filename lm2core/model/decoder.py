"""The decoder of LM2: the order in which its blocks read and write the bank, by token or by segment.

Source: Kang et al. 2025, arXiv:2502.06049, section 2 and figure 1. Module names are a Llama checkpoint's;
only ``mem`` is new. Axes: see memory.py and segments.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from lm2core.errors import UserError
from lm2core.model.block import LM2Block
from lm2core.model.config import LM2Config
from lm2core.model.norm import RMSNorm
from lm2core.model.open_segment import BlockState, OpenSegment, SlotsOfBlocks, join, join_pair, tokens_at
from lm2core.model.window import KeysAndValues, Window, window_after


class LM2Decoder(nn.Module):
    """Embedding, blocks and final norm, with the names of a Llama checkpoint.

    With content routing every block reads the bank from before the segment, and the blocks write one after
    another when the segment is closed. With positional routing blocks read and write in turn, and row t of
    the bank belongs to token t: like a key of self-attention, it depends on tokens up to t only.
    """

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LM2Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)
        self.in_turn = config.routing == "positional"
        self.attention_window, self.attention_sinks = config.attention_window, config.attention_sinks

    def blocks(self) -> Iterator[LM2Block]:
        """The blocks in order, under their own type."""
        return cast("Iterator[LM2Block]", iter(self.layers))

    def whole(
        self,
        bank_BND: Tensor,
        x_BTD: Tensor,
        mask_BT: Tensor | None,
        at_BT: Tensor | None = None,
        *,
        write_memory: bool,
        slots: SlotsOfBlocks | None = None,
        only_B: Tensor | None = None,
        window: Window | None = None,
    ) -> tuple[Tensor, Tensor, SlotsOfBlocks, Window | None]:
        """Run a complete segment of embedded tokens; return its stream (B,T,D), the bank after it, the keys
        and values that its blocks have read of the bank before it, None where a block has none, and the
        window behind it, None for a model without.

        ``mask_BT`` has its padding on the right; None: no padding. ``at_BT`` are positions for the rotation;
        None: those in the segment. ``slots`` are keys and values of ``bank_BND``, if they are known.
        ``only_B``: the token of each text whose stream (B,1,D) is wanted. With positional routing T is N.
        """
        n_blocks, n_tokens = len(self.layers), x_BTD.shape[1]
        segment = OpenSegment.start(bank_BND, n_blocks=n_blocks, n_room=n_tokens, slots=slots, window=window)
        mask_or_ones_BT = x_BTD.new_ones(x_BTD.shape[:2], dtype=torch.long) if mask_BT is None else mask_BT
        positions_BT = segment.positions(mask_or_ones_BT) if at_BT is None else at_BT
        place = _Place(self.rotary_emb(x_BTD, positions_BT), mask_BT, only_B=only_B, window=window)
        if self.in_turn:
            x_BTD, after_BND, blocks = self._in_turn(
                segment, x_BTD, place, bank_BND, write_memory=write_memory
            )
        else:
            x_BTD, blocks = self._read(segment, x_BTD, place, write_memory=write_memory)
            after_BND = self._write(blocks, bank_BND, mask_BT) if write_memory else bank_BND
        if only_B is not None and x_BTD.shape[1] > 1:
            x_BTD = tokens_at(x_BTD, only_B)
        if self.attention_window:
            attention = replace(segment, blocks=blocks).attention()
            window = self.window_after(window, attention, mask_BT, is_counted=at_BT is None)
        return x_BTD, after_BND, tuple(block.slots for block in blocks), window

    def window_after(
        self,
        before: Window | None,
        segment: Sequence[KeysAndValues],
        mask_BJ: Tensor | None,
        *,
        is_counted: bool,
        is_full: Tensor | None = None,
    ) -> Window:
        """The model's window behind a segment; see ``window.window_after``."""
        return window_after(
            before,
            segment,
            mask_BJ,
            self.rotary_emb,
            width=self.attention_window,
            n_sinks=self.attention_sinks,
            is_counted=is_counted,
            is_full=is_full,
        )

    def slots(self, bank_BND: Tensor) -> SlotsOfBlocks:
        """With content routing: the keys and values that each block reads of a bank."""
        return tuple(
            None if block.mem is None else block.mem.slots(bank_BND, block.mem.slot_key)
            for block in self.blocks()
        )

    def extend(
        self,
        segment: OpenSegment,
        x_BTD: Tensor,
        mask_BT: Tensor,
        at_BT: Tensor | None = None,
        *,
        write_memory: bool,
    ) -> tuple[Tensor, OpenSegment]:
        """Run the next embedded tokens of an open segment; return their stream (B,T,D) and the segment then.

        ``at_BT`` are positions for the rotation; None: those in the segment.
        """
        positions_BT = segment.positions(mask_BT)
        rotary = self.rotary_emb(x_BTD, positions_BT if at_BT is None else at_BT)
        visible = segment.visible(mask_BT)
        rows_BJD = None
        if self.in_turn:
            place = _Place(rotary, mask_BT, visible, slots_BT=positions_BT, window=segment.window)
            rows_BTD = _rows(segment.bank_BND, positions_BT)
            x_BTD, rows_BTD, blocks = self._in_turn(
                segment, x_BTD, place, rows_BTD, write_memory=write_memory
            )
            rows_BJD = join(segment.rows_BJD, rows_BTD)
        else:
            place = _Place(rotary, mask_BT, visible, window=segment.window)
            x_BTD, blocks = self._read(segment, x_BTD, place, write_memory=write_memory)
        return x_BTD, OpenSegment(
            segment.bank_BND,
            torch.cat([segment.mask_BJ, mask_BT], 1),
            blocks,
            segment.n_room - mask_BT.shape[1],
            segment.n_seen + mask_BT.shape[1],
            rows_BJD,
            segment.window,
        )

    def close(self, segment: OpenSegment) -> Tensor:
        """The bank (B,N,D) after writing the segment."""
        if segment.rows_BJD is not None:
            return _with_rows(segment.bank_BND, segment.rows_BJD, segment.mask_BJ)
        return self._write(segment.blocks, segment.bank_BND, segment.mask_BJ)

    def _read(
        self, segment: OpenSegment, x_BTD: Tensor, place: "_Place", *, write_memory: bool
    ) -> tuple[Tensor, tuple[BlockState, ...]]:
        """Content routing: blocks read the bank from before the segment and store what they will write."""
        states: list[BlockState] = []
        taps: list[Tensor] = []
        visible = place.seen(x_BTD.shape[1])
        for i, (block, past) in enumerate(zip(self.blocks(), segment.blocks, strict=True)):
            taps += [x_BTD] if block.is_tapped else []
            slots, stream_BJW, window = past.slots, None, place.before(i)
            if block.mem is not None and slots is None:
                slots = block.mem.slots(segment.bank_BND, block.mem.slot_key)
            if place.only_B is None or block is not self.layers[-1] or block.has_path:
                out = block(x_BTD, place.rotary, past, visible, slots, taps=taps, window=window)
            else:
                up_to_it = torch.arange(x_BTD.shape[1], device=x_BTD.device) <= place.only_B[:, None]
                seen = replace(place, visible=up_to_it[:, None, None]).seen(1)
                out = block(x_BTD, place.rotary, past, seen, slots, only_B=place.only_B, window=window)
            if write_memory and out.written_BTW is not None:
                stream_BJW = join(past.stream, out.written_BTW)
            states.append(BlockState(out.attention, stream=stream_BJW, slots=slots, path=out.path))
            x_BTD = out.x_BTD
        return x_BTD, tuple(states)

    def _write(self, states: Sequence[BlockState], bank_BND: Tensor, mask_BJ: Tensor | None) -> Tensor:
        """Content routing: one block after the other writes; returns the bank (B,N,D) after all of them."""
        for block, state in zip(self.blocks(), states, strict=True):
            if block.mem is not None:
                if state.stream is None:
                    raise UserError("the segment was run with write_memory=False and has nothing to write")
                bank_BND = block.mem.write(state.stream, bank_BND, mask_BJ)
        return bank_BND

    def _in_turn(
        self, segment: OpenSegment, x_BTD: Tensor, place: "_Place", rows_BTD: Tensor, *, write_memory: bool
    ) -> tuple[Tensor, Tensor, tuple[BlockState, ...]]:
        """Positional routing: each block reads and then writes the rows (B,T,D) that belong to the tokens."""
        states: list[BlockState] = []
        taps: list[Tensor] = []
        seen = place.seen(x_BTD.shape[1])
        for i, (block, past) in enumerate(zip(self.blocks(), segment.blocks, strict=True)):
            taps += [x_BTD] if block.is_tapped else []
            rows = None
            if block.mem is not None:
                key = block.mem.slot_key
                address = key if place.slots_BT is None else key[place.slots_BT]
                rows = join_pair(past.rows, block.mem.slots(rows_BTD, address))
            out = block(
                x_BTD, place.rotary, past, seen, rows, place.visible, taps=taps, window=place.before(i)
            )
            if block.mem is not None and write_memory:
                rows_BTD = block.mem.write(out.written_BTW, rows_BTD, place.mask_BT, out.read_BTW)
            states.append(BlockState(out.attention, rows=rows, path=out.path))
            x_BTD = out.x_BTD
        return x_BTD, rows_BTD, tuple(states)


@dataclass(frozen=True)
class _Place:
    """The position of tokens in their segment, and what they may attend to.

    rotary : cosine and sine of their positions
    mask_BT : 0 for padding; None: no padding
    visible : (B,1,T,J+T), True where a token may attend; None: causal attention
    slots_BT : with positional routing each token's slot; None: all slots in order
    only_B : the one token of each text whose stream is wanted; None: all are
    window : what self-attention sees before the segment; None: nothing
    """

    rotary: tuple[Tensor, Tensor]
    mask_BT: Tensor | None
    visible: Tensor | None = None
    slots_BT: Tensor | None = None
    only_B: Tensor | None = None
    window: Window | None = None

    def seen(self, n_tokens: int) -> Tensor | None:
        """``visible`` of ``n_tokens`` for self-attention, which sees the window first."""
        return self.visible if self.window is None else self.window.visible(self.visible, n_tokens)

    def before(self, block: int) -> KeysAndValues | None:
        """The window's keys and values of a block."""
        return None if self.window is None else self.window.blocks[block]


def _rows(bank_BND: Tensor, positions_BT: Tensor) -> Tensor:
    """The rows (B,T,D) of the bank that belong to tokens at these positions."""
    return bank_BND.gather(1, positions_BT[..., None].expand(-1, -1, bank_BND.shape[-1]))


def _with_rows(bank_BND: Tensor, rows_BJD: Tensor, mask_BJ: Tensor) -> Tensor:
    """The bank with the rows of a segment's tokens in their places; padding has no row."""
    n_slots = bank_BND.shape[1]
    order_BJ = (mask_BJ == 0).to(torch.int8).argsort(dim=1, stable=True)[:, :n_slots]
    written_BND = _rows(rows_BJD, order_BJ)
    written_BND = torch.cat([written_BND, bank_BND[:, written_BND.shape[1] :]], dim=1)
    is_written = torch.arange(n_slots, device=mask_BJ.device) < (mask_BJ != 0).sum(1, keepdim=True)
    return torch.where(is_written[..., None], written_BND, bank_BND)
