"""What RMT and ARMT share: a text is run segment by segment, and a tensor is carried from one to the next.

Axes: see memory.py; R x C rows and columns of what is carried.
"""

import torch
from torch import Tensor

from lm2core.baselines.base import Baseline
from lm2core.model.inputs import check_bank, check_last_token, check_parts, check_texts
from lm2core.model.loss import logits_and_loss
from lm2core.model.open_segment import tokens_at
from lm2core.model.output import LM2Output
from lm2core.model.segments import Segments, last_token


class SegmentBaseline(Baseline):
    """A Llama that runs one segment at a time; ``new_memory`` and ``run_segment`` say what it carries."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        write_memory: bool = True,
        backprop_segments: int = 0,
        logits_to_keep: int = 0,
        loss_only: bool = False,
        last_token_only: bool = False,
    ) -> LM2Output:
        """Run texts (B,T) or (B,S,T); arguments are those of ``LM2ForCausalLM``."""
        check_texts(input_ids, attention_mask, labels, vocab_size=self.config.vocab_size)
        check_parts(
            labels,
            logits_to_keep=logits_to_keep,
            backprop_segments=backprop_segments,
            loss_only=loss_only,
        )
        if last_token_only:
            check_last_token(input_ids, labels, write_memory=write_memory)
        start_BRC = self.new_memory(len(input_ids))
        if memory is not None:
            n_texts, n_rows, n_columns = start_BRC.shape
            check_bank(memory, (n_texts, n_rows, n_columns), like=self.lm_head.weight)
            start_BRC = memory.detach() if backprop_segments else memory
        cut = Segments.of(input_ids, attention_mask, min(self.config.segment_length, input_ids.shape[1]))
        streams, memories = self.run_segments(cut, start_BRC, write_memory, backprop_segments)
        first = cut.first_needed(logits_to_keep)
        if last_token_only:
            ids_BT, mask_BT = cut[0]
            x, padding = tokens_at(streams[0], last_token(mask_BT, ids_BT))[:, None], None
        else:
            x, padding = cut.restore(streams[first:], first=first, n_last=logits_to_keep), attention_mask
        logits, loss = logits_and_loss(
            self.lm_head, x, padding, labels, vocab_size=self.config.vocab_size, loss_only=loss_only
        )
        return LM2Output(loss, logits, memories[-1], tuple(memories))

    def new_memory(self, batch_size: int) -> Tensor:
        """The memory (B,R,C) before anything is read."""
        raise NotImplementedError

    def run_segment(
        self, ids_BT: Tensor, mask_BT: Tensor, memory_BRC: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """The stream (B,T,D) of one segment and the memory after it; all of the text may be padding."""
        raise NotImplementedError

    def run_segments(
        self, cut: Segments, memory_BRC: Tensor, write_memory: bool, backprop_segments: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Streams of the segments and the memory after each, unchanged by a segment without tokens."""
        streams, memories = [], []
        for s in range(len(cut)):
            if backprop_segments and s and s % backprop_segments == 0:  # the start is learned
                memory_BRC = memory_BRC.detach()
            ids_BT, mask_BT = cut[s]
            mask_BT = torch.ones_like(ids_BT) if mask_BT is None else mask_BT
            x_BTD, after_BRC = self.run_segment(ids_BT, mask_BT, memory_BRC, write_memory)
            if write_memory:
                memory_BRC = torch.where((mask_BT != 0).any(1)[:, None, None], after_BRC, memory_BRC)
            streams.append(x_BTD)
            memories.append(memory_BRC)
        return streams, memories
