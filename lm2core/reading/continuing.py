"""Questions that are asked, and continued token by token if need be, each from its own memory.

The memory is not changed.
Axes: Q question, R of these, T token, V word or part of a word.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.open_segment import OpenSegment
from lm2core.model.output import KeyedBank


def answer_logits(model: nn.Module, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> Tensor:
    """Logits (Q,V) after the last word of each question, which reads its own memory without changing it.

    A single question may be asked of many banks of an LM2.
    """
    if len(ids_QT) == 1 and isinstance(memory, Tensor) and len(memory) > 1:
        if isinstance(model, LM2ForCausalLM) and model.config.routing == "content":
            memory = KeyedBank(memory[:1], model.model.slots(memory))
        else:
            ids_QT, mask_QT = (x.expand(len(memory), -1) for x in (ids_QT, mask_QT))
    # A memory with a path of its own runs for all words in any case; others are recorded for all of them.
    of_last_word = getattr(model.config, "memory_width", None) is not None
    options = {"last_token_only": True} if of_last_word else {}
    logits_QTV = model(ids_QT[:, None], mask_QT[:, None], memory, write_memory=False, **options).logits[:, 0]
    if of_last_word:
        return logits_QTV[:, 0]
    last_Q = (mask_QT.sum(-1) - 1).expand(len(logits_QTV))
    return logits_QTV[torch.arange(len(logits_QTV), device=ids_QT.device), last_Q]


@dataclass(frozen=True)
class Asked:
    """Questions asked of any model; to continue them they are run again, one token longer.

    ids_QT, mask_QT : right-padded
    memory : one for each question
    logits_QV : after the last token of each
    """

    model: nn.Module
    ids_QT: Tensor
    mask_QT: Tensor
    memory: Any
    logits_QV: Tensor

    @classmethod
    def of(cls, model: nn.Module, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> "Asked":
        """Ask them."""
        return cls(model, ids_QT, mask_QT, memory, answer_logits(model, ids_QT, mask_QT, memory))

    def next(self, rows_R: Tensor, token_R: Tensor) -> "Asked":
        """Those of ``rows_R`` with one more token each."""
        ids, mask = self.ids_QT[rows_R], self.mask_QT[rows_R]
        end_R1 = mask.sum(-1, keepdim=True)
        ids = F.pad(ids, (0, 1)).scatter(1, end_R1, token_R[:, None])
        return Asked.of(self.model, ids, F.pad(mask, (0, 1)).scatter(1, end_R1, 1), self.memory[rows_R])


@dataclass(frozen=True)
class CachedAsked:
    """Questions asked of an LM2 that keeps their keys and values, so that a further token costs one token."""

    model: LM2ForCausalLM
    segment: OpenSegment
    logits_QV: Tensor

    @staticmethod
    def is_possible(model: nn.Module, n_tokens: int) -> bool:
        """Whether texts of up to ``n_tokens`` stay within one segment, as questions do."""
        return (
            isinstance(model, LM2ForCausalLM)
            and model.config.routing == "content"
            and n_tokens <= model.config.segment_length
        )

    @classmethod
    def of(cls, model: LM2ForCausalLM, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> "CachedAsked":
        """Ask questions that are padded on either side."""
        order = mask_QT.argsort(dim=1, stable=True)  # padding first: all questions end in the last column
        output = model(
            ids_QT.gather(1, order),
            mask_QT.gather(1, order),
            memory,
            write_memory=False,
            use_cache=True,
            logits_to_keep=1,
        )
        return cls(model, output.past_key_values, output.logits[:, -1])

    def next(self, rows_R: Tensor, token_R: Tensor) -> "CachedAsked":
        """Those of ``rows_R`` with one more token each."""
        segment = self.segment.of_stories(rows_R)
        output = self.model(token_R[:, None], past_key_values=segment, write_memory=False)
        return CachedAsked(self.model, output.past_key_values, output.logits[:, -1])
