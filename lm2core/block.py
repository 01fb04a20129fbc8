"""One decoder block of LM2: transformers' Llama parts with the memory read between attention and MLP.

Source: Kang et al. 2025, arXiv:2502.06049, section 2.1 and figure 1. Axes: see memory.py.
"""

import torch
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaMLP,
    apply_rotary_pos_emb,
    repeat_kv,
)

from lm2core.config import LM2Config
from lm2core.memory import LM2Memory, RMSNorm


class LM2Attention(LlamaAttention):
    """Llama's self-attention, written out so that its pattern passes through a hook point."""

    def __init__(self, config: LM2Config, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.hook_pattern = HookPoint()

    def forward(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], hidden_BTT: Tensor) -> Tensor:
        """Attend within the segment; ``hidden_BTT`` is True where a token must not look."""
        q, k, v = (
            proj(x_BTD).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *rotary)
        k, v = repeat_kv(k, self.num_key_value_groups), repeat_kv(v, self.num_key_value_groups)
        scores = (q @ k.transpose(-1, -2)) * self.scaling
        scores = scores.masked_fill(hidden_BTT[:, None], torch.finfo(scores.dtype).min)
        pattern = self.hook_pattern(scores.softmax(dim=-1))
        return self.o_proj((pattern @ v).transpose(1, 2).flatten(-2))


class LM2Block(nn.Module):
    """One decoder block: self-attention, memory read, MLP (eq. 3); the write is called by the model."""

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
        self, x_BTD: Tensor, bank_BND: Tensor, rotary: tuple[Tensor, Tensor], hidden_BTT: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the stream after the block, the stream after the read, and the read, each (B,T,D)."""
        x_BTD = self.hook_resid_pre(x_BTD)
        attn_BTD = self.self_attn(self.input_layernorm(x_BTD), rotary, hidden_BTT)
        mid_BTD, read_BTD = x_BTD + self.hook_attn_out(attn_BTD), None
        if self.mem is not None:
            mem_BTD, read_BTD = self.mem.read(mid_BTD, bank_BND)
            mid_BTD = mid_BTD + self.hook_mem_out(mem_BTD)
        mlp_BTD = self.mlp(self.post_attention_layernorm(mid_BTD))
        return self.hook_resid_post(mid_BTD + self.hook_mlp_out(mlp_BTD)), mid_BTD, read_BTD
