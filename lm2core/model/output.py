"""What a forward pass of an LM2 returns. Axes: see memory.py, plus S segments of a text and V vocabulary."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from lm2core.errors import UserError
from lm2core.model.open_segment import OpenSegment


@dataclass
class LM2Output(ModelOutput):
    """The result of a forward pass.

    loss : mean next-token cross entropy in nats, if labels were given
    logits : (B,T,V), or (B,S,T,V) for a text given in segments; None with ``loss_only``
    memory : (B,N,D), the bank after the last segment: pass it to the next call to continue the text
    memory_per_segment : S banks (B,N,D), one after each segment, of a text given in segments or on request
    past_key_values : with ``use_cache``, the open segment; ``memory`` is then the bank before it
    hidden_states : with ``output_hidden_states``, the stream (B,T,D) or (B,S,T,D) before each block, and the
        last one after the final norm
    attentions : with ``output_attentions``, each block's weights of self-attention: (B,H,T,T), zero outside
        a segment, or (B,S,H,T,T); for tokens that continue a cache (B,H,T,J) over the J tokens in view
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    memory: Tensor | None = None
    memory_per_segment: tuple[Tensor, ...] | None = None
    past_key_values: OpenSegment | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None

    def memory_at(self, story: Tensor, segment: Tensor) -> Any:
        """The banks (Q,N,D) that stories ``story`` (Q,) had after segments ``segment`` (Q,)."""
        if self.memory_per_segment is None:
            raise UserError(
                "no earlier banks were kept; run the text with output_banks=True, without a cache"
            )
        return torch.stack(self.memory_per_segment, dim=1)[story, segment]

    def backward(self) -> None:
        """Run back from the loss, as ``run_with_cache(..., incl_bwd=True)`` asks of what a model returns."""
        if self.loss is None:
            raise UserError("there is no loss to backpropagate; give labels=input_ids")
        self.loss.backward()
