"""The decoder of LM2: the order in which its blocks read and write the bank, by token or by segment.

Source: Kang et al. 2025, arXiv:2502.06049, section 2 and figure 1. Module names are a Llama checkpoint's;
only ``mem`` is new. Axes: see memory.py and segments.py.
"""

from collections.abc import Iterator
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from lm2core.model.block import LM2Block
from lm2core.model.config import LM2Config
from lm2core.model.memory import RMSNorm
from lm2core.model.segments import OpenSegment


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

    def blocks(self) -> Iterator[LM2Block]:
        """The blocks in order, under their own type."""
        return cast("Iterator[LM2Block]", iter(self.layers))

    def extend(
        self,
        segment: OpenSegment,
        ids_BT: Tensor,
        mask_BT: Tensor | None,
        *,
        is_packed: bool,
        write_memory: bool = True,
    ) -> tuple[Tensor, OpenSegment]:
        """Run the next tokens of an open segment; return their stream (B,T,D) and the extended segment.

        ``is_packed`` states that the segment is empty and that padding, if any, is on the right; without
        padding no mask is needed.
        """
        kept_BT, mask_BT = mask_BT, torch.ones_like(ids_BT) if mask_BT is None else mask_BT
        x_BTD = self.embed_tokens(ids_BT)
        positions_BT = segment.positions(mask_BT)
        rotary = self.rotary_emb(x_BTD, positions_BT)
        visible = None if is_packed else segment.visible(mask_BT)
        rows_BTD, is_complete = None, is_packed and ids_BT.shape[1] == segment.bank_BND.shape[1]
        if self.in_turn:  # in a complete segment every row is in its place
            rows_BTD = segment.bank_BND if is_complete else _rows(segment.bank_BND, positions_BT)
        longer = OpenSegment(
            segment.bank_BND, torch.cat([segment.mask_BJ, mask_BT], 1), segment.n_seen + ids_BT.shape[1]
        )

        def joined(block: int, name: str, new_BT: Tensor) -> Tensor:
            longer.columns[f"{name}.{block}"] = segment.joined(f"{name}.{block}", new_BT)
            return longer.columns[f"{name}.{block}"]

        for i, block in enumerate(self.blocks()):
            slots, slots_visible = None, None
            if block.mem is not None and rows_BTD is not None:
                address = block.mem.slot_key if is_complete else block.mem.slot_key[positions_BT]
                k, v = block.mem.slots(rows_BTD, address)
                slots, slots_visible = (joined(i, "slot_key", k), joined(i, "slot_value", v)), visible
            elif block.mem is not None:
                slots = segment.slots.get(i) or block.mem.slots(segment.bank_BND, block.mem.slot_key)
                longer.slots[i] = slots
            x_BTD, mid_BTD, read_BTD = block(x_BTD, rotary, partial(joined, i), visible, slots, slots_visible)
            if block.mem is None or not write_memory:
                continue
            if rows_BTD is not None:
                rows_BTD = block.mem.write(mid_BTD, rows_BTD, kept_BT, read_BTD)
            else:
                joined(i, "stream", mid_BTD)
        if rows_BTD is not None:
            joined(0, "row", rows_BTD)
        return x_BTD, longer

    def close(self, segment: OpenSegment, *, is_packed: bool = False, is_full: bool = False) -> Tensor:
        """The bank (B,N,D) after writing the segment; ``is_full`` states that it has no padding."""
        bank_BND = segment.bank_BND
        if self.in_turn:
            rows_BJD = segment.columns["row.0"]
            is_complete = is_packed and rows_BJD.shape == bank_BND.shape
            return rows_BJD if is_complete else _with_rows(bank_BND, rows_BJD, segment.mask_BJ)
        for i, block in enumerate(self.blocks()):
            if block.mem is not None:
                mask_BJ = None if is_full else segment.mask_BJ
                bank_BND = block.mem.write(segment.columns[f"stream.{i}"], bank_BND, mask_BJ)
        return bank_BND


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
