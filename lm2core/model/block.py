"""One decoder block of LM2: Llama's attention and MLP with the memory read in between.

Source: Kang et al. 2025, arXiv:2502.06049, section 2.1 and figure 1. Axes: see memory.py and segments.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformers.models.llama.modeling_llama import LlamaMLP

from lm2core.model.attention_layer import LM2Attention
from lm2core.model.config import LM2Config
from lm2core.model.memory import LM2Memory
from lm2core.model.norm import RMSNorm
from lm2core.model.open_segment import BlockState, tokens_at
from lm2core.model.window import KeysAndValues


class BlockOutput(NamedTuple):
    """What a block gives: the stream (B,T,D) after it, what its memory will write and what it has read
    (B,T,W), and keys and values of self-attention, and of the memory's path, for the tokens that follow.
    """

    x_BTD: Tensor
    written_BTW: Tensor | None
    read_BTW: Tensor | None
    attention: KeysAndValues
    path: KeysAndValues | None


class LM2Block(nn.Module):
    """One decoder block: self-attention, memory read, MLP (eq. 3). The decoder calls the write."""

    def __init__(self, config: LM2Config, layer_idx: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = LM2Attention(config, layer_idx)
        self.mem: LM2Memory | None = LM2Memory(config) if layer_idx in config.memory_blocks else None
        self.has_path = self.mem is not None and self.mem.path is not None
        self.is_tapped = layer_idx in (config.memory_taps or ())
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = LlamaMLP(config)
        self.hook_resid_pre = HookPoint()
        self.hook_attn_out = HookPoint()
        if self.mem is not None:
            self.hook_mem_out = HookPoint()
        self.hook_mlp_out = HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(
        self,
        x_BTD: Tensor,
        rotary: tuple[Tensor, Tensor],
        past: BlockState,
        visible: Tensor | None,
        slots: KeysAndValues | None,
        slots_visible: Tensor | None = None,
        taps: Sequence[Tensor] = (),
        only_B: Tensor | None = None,
        window: KeysAndValues | None = None,
    ) -> BlockOutput:
        """Run tokens that follow ``past``; ``slots`` are what the memory reads, None: the block has none.

        ``taps`` are the streams of earlier blocks that a memory of its own width sees. ``only_B``: the one
        token of each text that is run to the end; others are its keys and values. Not with a memory's path.
        ``window``: what self-attention alone sees before the segment; ``visible`` then begins with it.
        """
        x_BTD = self.hook_resid_pre(x_BTD)
        attn_BTD, attention = self.self_attn(
            self.input_layernorm(x_BTD), rotary, past.attention, visible, only_B, window
        )
        x_BTD = x_BTD if only_B is None else tokens_at(x_BTD, only_B)
        mid_BTD, written_BTW, read_BTW, kept = x_BTD + self.hook_attn_out(attn_BTD), None, None, None
        if self.mem is not None and slots is not None and self.mem.path is not None:
            streams = taps if self.mem.path.sees_taps else [mid_BTD]
            own = visible if visible is None or window is None else visible[..., window[0].shape[1] :]
            seen_BTW, kept = self.mem.path.seen(streams, rotary, past.path, own)
            mem_BTW, read_BTW = self.mem.read(seen_BTW, slots, slots_visible)
            written_BTW = seen_BTW + mem_BTW
            mid_BTD = mid_BTD + self.hook_mem_out(self.mem.path.back(mem_BTW))
        elif self.mem is not None and slots is not None:
            mem_BTD, read_BTW = self.mem.read(mid_BTD, slots, slots_visible)
            written_BTW = mid_BTD = mid_BTD + self.hook_mem_out(mem_BTD)
        mlp_BTD = self.mlp(self.post_attention_layernorm(mid_BTD))
        x_BTD = self.hook_resid_post(mid_BTD + self.hook_mlp_out(mlp_BTD))
        return BlockOutput(x_BTD, written_BTW, read_BTW, attention, kept)
