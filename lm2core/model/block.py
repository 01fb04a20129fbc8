"""One decoder block of LM2: Llama's attention and MLP with the memory read in between.

Source: Kang et al. 2025, arXiv:2502.06049, section 2.1 and figure 1. Axes: see memory.py and segments.py.
"""

from collections.abc import Callable

from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, apply_rotary_pos_emb

from lm2core.model.attention import attend, merge_heads
from lm2core.model.config import LM2Config
from lm2core.model.memory import LM2Memory, RMSNorm

Joined = Callable[[str, Tensor], Tensor]  # (name, new columns) -> all columns of the segment so far


class LM2Attention(LlamaAttention):
    """Llama's self-attention, with its pattern at a hook point."""

    def __init__(self, config: LM2Config, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.hook_pattern = HookPoint()

    def forward(
        self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], joined: Joined, visible: Tensor | None
    ) -> Tensor:
        """Attend within the segment, including earlier tokens; ``visible`` None: causal attention."""
        q, k, v = (
            proj(x_BTD).unflatten(-1, (-1, self.head_dim)) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *rotary, unsqueeze_dim=2)
        k, v = joined("key", k), joined("value", v)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        is_causal = visible is None
        return self.o_proj(
            merge_heads(attend(q, k, v, visible=visible, is_causal=is_causal, hook=self.hook_pattern))
        )


class LM2Block(nn.Module):
    """One decoder block: self-attention, memory read, MLP (eq. 3). The decoder calls the write."""

    def __init__(self, config: LM2Config, layer_idx: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = LM2Attention(config, layer_idx)
        self.mem: LM2Memory | None = LM2Memory(config) if layer_idx in config.memory_blocks else None
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
        joined: Joined,
        visible: Tensor | None,
        slots: tuple[Tensor, Tensor] | None,
        slots_visible: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the stream after the block, the stream after the read, and the read, each (B,T,D)."""
        x_BTD = self.hook_resid_pre(x_BTD)
        attn_BTD = self.self_attn(self.input_layernorm(x_BTD), rotary, joined, visible)
        mid_BTD, read_BTD = x_BTD + self.hook_attn_out(attn_BTD), None
        if self.mem is not None and slots is not None:
            mem_BTD, read_BTD = self.mem.read(mid_BTD, slots, slots_visible)
            mid_BTD = mid_BTD + self.hook_mem_out(mem_BTD)
        mlp_BTD = self.mlp(self.post_attention_layernorm(mid_BTD))
        return self.hook_resid_post(mid_BTD + self.hook_mlp_out(mlp_BTD)), mid_BTD, read_BTD
