"""What a forward pass of an LM2 returns. Axes: see memory.py, plus S segments of a text and V vocabulary."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from lm2core.errors import UserError
from lm2core.model.open_segment import OpenSegment, SlotsOfBlocks
from lm2core.model.window import KeysAndValues


@dataclass(frozen=True)
class KeyedBank:
    """A bank, with the keys and values that each block reads of it, so that they are not computed again.

    A model takes it in place of the bank, for texts that write nothing.

    slots : (B,N,D) each; with a single text, of as many banks as it is to be read with, of which ``bank_BND``
        is the first: blocks before the first with memory then run once
    """

    bank_BND: Tensor
    slots: SlotsOfBlocks


@dataclass
class LM2Output(ModelOutput):
    """The result of a forward pass.

    loss : mean next-token cross entropy in nats, if labels were given
    logits : (B,T,V), or (B,S,T,V) for a text given in segments; None with ``loss_only``
    memory : (B,N,D), the bank after the last segment: pass it to the next call to continue the text
    memory_per_segment : S banks (B,N,D), one after each segment, of a text given in segments or on request
    slots_per_segment : what blocks read of each of these banks, of a text run with gradients, which hold it
        anyway
    past_key_values : with ``use_cache``, the open segment; ``memory`` is then the bank before it
    hidden_states : with ``output_hidden_states``, the stream (B,T,D) or (B,S,T,D) before each block, and the
        last one after the final norm
    attentions : with ``output_attentions``, each block's weights of self-attention: (B,H,T,T), zero outside
        a segment, or (B,S,H,T,T); for tokens that continue a cache (B,H,T,J) over the J tokens in view
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    memory: Tensor | None = None
    memory_per_segment: tuple[Tensor, ...] | None = None
    slots_per_segment: tuple[SlotsOfBlocks, ...] | None = None
    past_key_values: OpenSegment | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None

    def memory_at(self, story: Tensor, segment: Tensor) -> Any:
        """The banks (Q,N,D) that stories ``story`` (Q,) had after segments ``segment`` (Q,)."""
        if self.memory_per_segment is None:
            raise UserError(
                "no earlier banks were kept; run the text with output_banks=True, without a cache"
            )
        return torch.stack(self.memory_per_segment, dim=1)[story, segment]

    def keyed_at(self, story: Tensor, segment: Tensor) -> Any:
        """``memory_at``, as a ``KeyedBank`` if the text's own reads have the keys and values."""
        bank_QND = self.memory_at(story, segment)
        if self.slots_per_segment is None:
            return bank_QND

        def of_questions(per_segment: Iterable[Tensor]) -> Tensor:
            return torch.stack(tuple(per_segment), dim=1)[story, segment]

        slots: list[KeysAndValues | None] = []
        for of_block in zip(*self.slots_per_segment, strict=True):
            pairs = [pair for pair in of_block if pair is not None]
            keys, values = (k for k, _ in pairs), (v for _, v in pairs)
            slots.append((of_questions(keys), of_questions(values)) if pairs else None)
        return KeyedBank(bank_QND, tuple(slots))

    def backward(self) -> None:
        """Run back from the loss, as ``run_with_cache(..., incl_bwd=True)`` asks of what a model returns."""
        if self.loss is None:
            raise UserError("there is no loss to backpropagate; give labels=input_ids")
        self.loss.backward()
