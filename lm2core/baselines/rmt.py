"""RMT, the recurrent memory Transformer: a Llama whose memory is a few tokens around each segment.

Sources: Bulatov et al. 2022, arXiv:2207.06881, and Kuratov et al. 2024, arXiv:2406.10149, appendix C.
Axes: see memory.py, plus P segments of all texts, and J columns of a segment with its memory tokens.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import initialization as init

from lm2core.baselines.base import Baseline, positions
from lm2core.errors import UserError
from lm2core.model.config import StrictConfig
from lm2core.model.inputs import check_bank, check_last_token, check_parts, check_texts
from lm2core.model.loss import logits_and_loss
from lm2core.model.open_segment import tokens_at
from lm2core.model.output import LM2Output
from lm2core.model.segments import Segments, last_token


class RMTConfig(StrictConfig):
    """Llama's config plus ``memory_slots`` memory tokens (0: a plain Llama) and tokens per segment."""

    model_type = "lm2-rmt"

    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    memory_slots: int = 16
    segment_length: int = 128

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse impossible sizes, then fill Llama's derived fields."""
        for name, least in (("memory_slots", 0), ("segment_length", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name}={value} must be a whole number, at least {least}")
        super().__post_init__(**kwargs)


class RMTForCausalLM(Baseline):
    """A Llama that reads memory tokens before each segment and rewrites them after it.

    A segment is run as ``[memory][tokens][memory]``; the last hidden states of the memory tokens behind the
    text are the next memory. Gradients run through all of it. Without memory tokens it is a plain Llama that
    sees one segment; since nothing flows between segments, all of them are run as one batch.
    """

    config_class = RMTConfig

    def __init__(self, config: RMTConfig) -> None:
        super().__init__(config)
        self.memory_start: nn.Parameter | None = None  # (N,D)
        if config.memory_slots:
            self.memory_start = nn.Parameter(torch.empty(config.memory_slots, config.hidden_size))
        self.post_init()

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
        if memory is not None:
            shape = (len(input_ids), self.config.memory_slots, self.config.hidden_size)
            check_bank(memory, shape, like=self.lm_head.weight)
        cut = Segments.of(input_ids, attention_mask, min(self.config.segment_length, input_ids.shape[1]))
        bank_BND = self.new_memory(len(input_ids)) if memory is None else memory
        if backprop_segments and memory is not None:
            bank_BND = bank_BND.detach()
        if self.config.memory_slots:
            streams, banks = self._in_turn(cut, bank_BND, write_memory, backprop_segments)
        else:
            streams, banks = self._at_once(cut), [bank_BND] * len(cut)
        first = cut.first_needed(logits_to_keep)
        if last_token_only:
            ids_BT, mask_BT = cut[0]
            x, padding = tokens_at(streams[0], last_token(mask_BT, ids_BT))[:, None], None
        else:
            x, padding = cut.restore(streams[first:], first=first, n_last=logits_to_keep), attention_mask
        logits, loss = logits_and_loss(
            self.lm_head, x, padding, labels, vocab_size=self.config.vocab_size, loss_only=loss_only
        )
        return LM2Output(loss, logits, banks[-1], tuple(banks))

    def new_memory(self, batch_size: int) -> Tensor:
        """The learned initial memory tokens (B,N,D)."""
        if self.memory_start is None:
            return self.lm_head.weight.new_empty(batch_size, 0, self.config.hidden_size)
        return self.memory_start.expand(batch_size, -1, -1)

    def _in_turn(
        self, cut: Segments, bank_BND: Tensor, write_memory: bool, backprop_segments: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Streams of the segments and the memory after each."""
        streams, banks = [], []
        for s in range(len(cut)):
            if backprop_segments and s and s % backprop_segments == 0:  # the start is learned
                bank_BND = bank_BND.detach()
            x_BTD, bank_BND = self._segment(*cut[s], bank_BND, write_memory)
            streams.append(x_BTD)
            banks.append(bank_BND)
        return streams, banks

    def _at_once(self, cut: Segments) -> list[Tensor]:
        """Streams of independent segments, run as one batch."""
        ids_PT = cut.ids_BST.flatten(0, 1)
        mask_PT = None if cut.mask_BST is None else cut.mask_BST.flatten(0, 1)
        x_PTD, _ = self._segment(ids_PT, mask_PT, self.new_memory(len(ids_PT)), write_memory=False)
        return list(x_PTD.unflatten(0, (-1, len(cut))).unbind(1))

    def _segment(
        self, ids_BT: Tensor, mask_BT: Tensor | None, bank_BND: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """Stream (B,T,D) of one segment and the memory after it, unchanged by a segment without tokens."""
        n_slots, n_tokens = bank_BND.shape[1], ids_BT.shape[1]
        parts = [bank_BND, self.model.embed_tokens(ids_BT), *([bank_BND] if write_memory else [])]
        mask_BT = torch.ones_like(ids_BT) if mask_BT is None else mask_BT
        is_there = mask_BT.new_ones(len(ids_BT), n_slots)
        mask_BJ = torch.cat([is_there, mask_BT, *([is_there] if write_memory else [])], dim=1)
        x_BJD = self.model(
            inputs_embeds=torch.cat(parts, dim=1),
            attention_mask=mask_BJ,
            position_ids=positions(mask_BJ),
            use_cache=False,
        ).last_hidden_state
        if write_memory:
            has_tokens = (mask_BT != 0).any(1)[:, None, None]
            bank_BND = torch.where(has_tokens, x_BJD[:, n_slots + n_tokens :], bank_BND)
        return x_BJD[:, n_slots : n_slots + n_tokens], bank_BND

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise memory tokens like embeddings: they must differ, and have the same variance."""
        if module is self and self.memory_start is not None:
            init.normal_(self.memory_start)
        else:
            super()._init_weights(module)


AutoConfig.register(RMTConfig.model_type, RMTConfig)
AutoModelForCausalLM.register(RMTConfig, RMTForCausalLM)
