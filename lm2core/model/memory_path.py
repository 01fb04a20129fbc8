"""The path of a memory that has a width of its own: from the streams of the backbone into it, and back.

The memory sees the streams of chosen blocks through a linear map and, with ``memory_path_block``, one narrow
decoder block; what it reads joins the stream of its own block. The equations of memory.py hold unchanged in
its width, and the backbone depends on it only where a read joins. Axes: see memory.py, plus W its width.
"""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaMLP

from lm2core.model.attention_layer import LM2Attention
from lm2core.model.config import LM2Config
from lm2core.model.norm import RMSNorm
from lm2core.model.window import KeysAndValues


class PathBlock(nn.Module):
    """A decoder block in the width of the memory, with heads as wide as the backbone's."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        narrow = _narrow(config)
        self.input_layernorm = RMSNorm(narrow.hidden_size, narrow.rms_norm_eps)
        self.self_attn = LM2Attention(narrow, 0)
        self.post_attention_layernorm = RMSNorm(narrow.hidden_size, narrow.rms_norm_eps)
        self.mlp = LlamaMLP(narrow)

    def forward(
        self,
        x_BTW: Tensor,
        rotary: tuple[Tensor, Tensor],
        past: KeysAndValues | None,
        visible: Tensor | None,
    ) -> tuple[Tensor, KeysAndValues]:
        """Run tokens that follow ``past``; also returns keys and values for those that follow."""
        attended_BTW, attention = self.self_attn(self.input_layernorm(x_BTW), rotary, past, visible)
        x_BTW = x_BTW + attended_BTW
        return x_BTW + self.mlp(self.post_attention_layernorm(x_BTW)), attention


class MemoryPath(nn.Module):
    """Maps of one or several streams (B,T,D) to what the memory sees (B,T,W), and of its read back."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        assert config.memory_width is not None
        n_streams = 1 if config.memory_taps is None else len(config.memory_taps)
        self.sees_taps = config.memory_taps is not None
        # The bias matters: most of a trained Llama's stream is the same vector for every token.
        self.into = nn.Linear(n_streams * config.hidden_size, config.memory_width)
        self.block = PathBlock(config) if config.memory_path_block else None
        self.back = nn.Linear(config.memory_width, config.hidden_size, bias=False)

    def seen(
        self,
        streams: Sequence[Tensor],
        rotary: tuple[Tensor, Tensor],
        past: KeysAndValues | None,
        visible: Tensor | None,
    ) -> tuple[Tensor, KeysAndValues | None]:
        """What the memory sees (B,T,W) of ``streams``, the tapped ones or that of its block; and what its
        self-attention keeps for the tokens that follow.
        """
        x_BTW = self.into(torch.cat(list(streams), dim=-1))
        return (x_BTW, None) if self.block is None else self.block(x_BTW, rotary, past, visible)


def _narrow(config: LM2Config) -> LM2Config:
    """The sizes of a narrow block, under the names that Llama's parts read."""
    assert config.memory_width is not None
    narrow = copy(config)
    narrow.hidden_size, narrow.intermediate_size = config.memory_width, 2 * config.memory_width
    narrow.num_attention_heads = narrow.num_key_value_heads = config.memory_width // config.head_dim
    return narrow
