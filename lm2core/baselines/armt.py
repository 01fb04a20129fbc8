"""ARMT, the associative recurrent memory Transformer: a Llama with an associative memory in every layer.

Source: Rodkin et al. 2024, arXiv:2407.04841, section 2. Axes: see associative_memory.py, plus L layers, and J
columns of a segment with its memory tokens.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask

from lm2core.baselines.associative_memory import AssociativeMemory, n_features
from lm2core.baselines.base import Backbone, positions
from lm2core.baselines.by_segment import SegmentBaseline
from lm2core.errors import UserError
from lm2core.model.config import StrictConfig


class ARMTConfig(StrictConfig):
    """Llama's config plus ``memory_slots`` memory tokens, tokens per segment, and the width of a key."""

    model_type = "lm2-armt"

    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    memory_slots: int = 16
    memory_key_size: int = 64
    segment_length: int = 128

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse impossible sizes, then fill Llama's derived fields."""
        for name, least in (("memory_slots", 1), ("memory_key_size", 2), ("segment_length", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name}={value} must be a whole number, at least {least}")
        super().__post_init__(**kwargs)


class AssociativeLlama(Backbone):
    """A Llama whose layers read an associative memory before a segment and write it after."""

    def __init__(self, config: ARMTConfig) -> None:
        super().__init__(config)
        self.memories = nn.ModuleList(
            AssociativeMemory(config.hidden_size, config.memory_key_size) for _ in self.layers
        )

    def forward(
        self, x_BJD: Tensor, mask_BJ: Tensor, matrices_BLFC: Tensor, n_written: int
    ) -> tuple[Tensor, Tensor]:
        """The stream (B,J,D) of a segment, and the matrices with its last ``n_written`` columns written."""
        at_BJ = positions(mask_BJ)
        mask = create_causal_mask(
            self.config, inputs_embeds=x_BJD, attention_mask=mask_BJ, past_key_values=None, position_ids=at_BJ
        )
        rotation = self.rotary_emb(x_BJD, position_ids=at_BJ)
        after = []
        memories = cast("Iterable[AssociativeMemory]", self.memories)
        for layer, memory, matrix_BFC in zip(self.layers, memories, matrices_BLFC.unbind(1), strict=True):
            x_BJD = x_BJD + memory.read(matrix_BFC, x_BJD)
            x_BJD = layer(x_BJD, attention_mask=mask, position_embeddings=rotation, position_ids=at_BJ)
            if n_written:
                after.append(memory.write(matrix_BFC, x_BJD[:, -n_written:]))
        return self.norm(x_BJD), torch.stack(after, 1) if n_written else matrices_BLFC


class ARMTForCausalLM(SegmentBaseline):
    """A Llama with memory tokens behind each segment, which its layers write to their associative memories.

    A segment is run as ``[tokens][memory]``, with the same learned memory tokens always. What is carried on
    is the matrices of all layers, as one tensor (B,L F,C). Gradients run through all of it.
    """

    config_class = ARMTConfig
    backbone_class = AssociativeLlama

    def __init__(self, config: ARMTConfig) -> None:
        super().__init__(config)
        self.memory_start = nn.Parameter(torch.empty(config.memory_slots, config.hidden_size))  # (N,D)
        self.post_init()

    def new_memory(self, batch_size: int) -> Tensor:
        """Matrices without content: all zero."""
        config = self.config
        n_rows = config.num_hidden_layers * n_features(config.memory_key_size)
        return self.lm_head.weight.new_zeros(1, 1, 1).expand(batch_size, n_rows, config.hidden_size + 1)

    def run_segment(
        self, ids_BT: Tensor, mask_BT: Tensor, memory_BRC: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """The stream (B,T,D) of one segment, and the matrices after it."""
        x_BJD, mask_BJ, n_written = self.model.embed_tokens(ids_BT), mask_BT, 0
        if write_memory:
            n_written = len(self.memory_start)
            x_BJD = torch.cat([x_BJD, self.memory_start.expand(len(ids_BT), -1, -1)], 1)
            mask_BJ = torch.cat([mask_BT, mask_BT.new_ones(len(ids_BT), n_written)], 1)
        matrices_BLFC = memory_BRC.unflatten(1, (self.config.num_hidden_layers, -1))
        x_BJD, matrices_BLFC = self.model(x_BJD, mask_BJ, matrices_BLFC, n_written)
        return x_BJD[:, : ids_BT.shape[1]], matrices_BLFC.flatten(1, 2)

    def _init_weights(self, module: nn.Module) -> None:
        """Memory tokens start like embeddings, and values at zero as the authors' do: nothing is read yet."""
        if module is self:
            init.normal_(self.memory_start)
            for memory in self.model.memories:
                init.zeros_(memory.value.weight)
        else:
            super()._init_weights(module)


AutoConfig.register(ARMTConfig.model_type, ARMTConfig)
AutoModelForCausalLM.register(ARMTConfig, ARMTForCausalLM)
