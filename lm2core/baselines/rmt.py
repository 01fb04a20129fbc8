"""RMT, the recurrent memory Transformer: a Llama whose memory is a few tokens around each segment.

Sources: Bulatov et al. 2022, arXiv:2207.06881, and Kuratov et al. 2024, arXiv:2406.10149, appendix C.
Axes: see memory.py, plus P segments of all texts, and J columns of a segment with its memory tokens.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import initialization as init

from lm2core.baselines.base import positions
from lm2core.baselines.by_segment import SegmentBaseline
from lm2core.errors import UserError
from lm2core.model.config import StrictConfig
from lm2core.model.segments import Segments


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


class RMTForCausalLM(SegmentBaseline):
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

    def new_memory(self, batch_size: int) -> Tensor:
        """The learned initial memory tokens (B,N,D)."""
        if self.memory_start is None:
            return self.lm_head.weight.new_empty(batch_size, 0, self.config.hidden_size)
        return self.memory_start.expand(batch_size, -1, -1)

    def run_segments(
        self, cut: Segments, memory_BND: Tensor, write_memory: bool, backprop_segments: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Streams of the segments and the memory after each; without memory tokens all run as one batch."""
        if self.config.memory_slots:
            return super().run_segments(cut, memory_BND, write_memory, backprop_segments)
        ids_PT = cut.ids_BST.flatten(0, 1)
        mask_PT = torch.ones_like(ids_PT) if cut.mask_BST is None else cut.mask_BST.flatten(0, 1)
        x_PTD, _ = self.run_segment(ids_PT, mask_PT, self.new_memory(len(ids_PT)), write_memory=False)
        return list(x_PTD.unflatten(0, (-1, len(cut))).unbind(1)), [memory_BND] * len(cut)

    def run_segment(
        self, ids_BT: Tensor, mask_BT: Tensor, memory_BND: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """The stream (B,T,D) of one segment, and the memory after it."""
        n_slots, n_tokens = memory_BND.shape[1], ids_BT.shape[1]
        parts = [memory_BND, self.model.embed_tokens(ids_BT), *([memory_BND] if write_memory else [])]
        is_there = mask_BT.new_ones(len(ids_BT), n_slots)
        mask_BJ = torch.cat([is_there, mask_BT, *([is_there] if write_memory else [])], dim=1)
        x_BJD = self.model(
            inputs_embeds=torch.cat(parts, dim=1),
            attention_mask=mask_BJ,
            position_ids=positions(mask_BJ),
            use_cache=False,
        ).last_hidden_state
        after_BND = x_BJD[:, n_slots + n_tokens :] if write_memory else memory_BND
        return x_BJD[:, n_slots : n_slots + n_tokens], after_BND

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise memory tokens like embeddings: they must differ, and have the same variance."""
        if module is self and self.memory_start is not None:
            init.normal_(self.memory_start)
        else:
            super()._init_weights(module)


AutoConfig.register(RMTConfig.model_type, RMTConfig)
AutoModelForCausalLM.register(RMTConfig, RMTForCausalLM)
