"""Llama's self-attention within a segment, with its pattern at a hook point. Axes: see open_segment.py."""

from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformers.models.llama.modeling_llama import LlamaAttention, apply_rotary_pos_emb

from lm2core.model.attention import attend, merge_heads
from lm2core.model.config import LM2Config
from lm2core.model.open_segment import KeysAndValues, join_pair, tokens_at


class LM2Attention(LlamaAttention):
    """Llama's self-attention, with its pattern at a hook point."""

    def __init__(self, config: LM2Config, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.hook_pattern = HookPoint()

    def forward(
        self,
        x_BTD: Tensor,
        rotary: tuple[Tensor, Tensor],
        past: KeysAndValues | None,
        visible: Tensor | None,
        only_B: Tensor | None = None,
    ) -> tuple[Tensor, KeysAndValues]:
        """Attend within the segment; return the result (B,T,D), and the keys and values so far.

        ``past``: keys and values of earlier tokens; ``visible`` None: causal attention. ``only_B``: the
        result is that of one token of each text, (B,1,D).
        """
        q, k, v = (
            proj(x_BTD).unflatten(-1, (-1, self.head_dim)) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *rotary, unsqueeze_dim=2)
        q = q if only_B is None else tokens_at(q, only_B)
        keys_and_values = join_pair(past, (k, v))
        q, k, v = (x.transpose(1, 2) for x in (q, *keys_and_values))
        found = attend(q, k, v, visible=visible, is_causal=visible is None, hook=self.hook_pattern)
        return self.o_proj(merge_heads(found)), keys_and_values
