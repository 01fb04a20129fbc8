"""Llama's self-attention within a segment, with its pattern at a hook point. Axes: see open_segment.py."""

from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformers.models.llama.modeling_llama import LlamaAttention, apply_rotary_pos_emb

from lm2core.model.attention import attend, merge_heads
from lm2core.model.config import LM2Config
from lm2core.model.open_segment import join_pair, tokens_at
from lm2core.model.window import KeysAndValues


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
        window: KeysAndValues | None = None,
    ) -> tuple[Tensor, KeysAndValues]:
        """Attend within the segment and to the ``window`` before it; return the result (B,T,D), and the keys
        and values of the segment so far.

        ``past``: keys and values of its earlier tokens; ``visible``: see ``OpenSegment.visible``, with the
        window first; None: causal attention, without a window. ``only_B``: the result is that of one token of
        each text, (B,1,D).
        """
        q, k, v = (
            proj(x_BTD).unflatten(-1, (-1, self.head_dim)) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *rotary, unsqueeze_dim=2)
        q = q if only_B is None else tokens_at(q, only_B)
        keys_and_values = join_pair(past, (k, v))
        seen = keys_and_values if window is None else join_pair(window, keys_and_values)
        q, k, v = (x.transpose(1, 2) for x in (q, *seen))
        found = attend(q, k, v, visible=visible, is_causal=visible is None, hook=self.hook_pattern)
        return self.o_proj(merge_heads(found)), keys_and_values
