"""What the baselines of LM2 have in common: transformers' Llama, started as LM2's backbone is.

They answer the same call as LM2ForCausalLM. RMT is rmt.py, and so, without memory tokens, is the plain Llama
that sees one segment; the plain Llama that sees the whole text is full_text.py. Axes: see memory.py, plus J
columns of a text or a segment.
"""

from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from lm2core.model.causal_lm import initialise_backbone
from lm2core.model.from_llama import StrictCheckpoints


class Backbone(LlamaModel):
    """transformers' Llama with the start values that LM2's backbone has."""

    def _init_weights(self, module: nn.Module) -> None:
        if not initialise_backbone(module):
            super()._init_weights(module)


class Baseline(StrictCheckpoints):
    """A Llama and its head."""

    base_model_prefix = "model"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    _supports_sdpa = True  # the fused attention that LM2 uses; unsaid, transformers takes a slow one
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def compile_segments(self) -> None:
        """Compile the Llama, for training."""
        self.model.compile(dynamic=True)

    def _logits(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Logits of a stream; zero for padding, which has nothing to say."""
        logits = self.lm_head(x)
        return logits if mask is None else logits.masked_fill((mask == 0)[..., None], 0.0)

    def _init_weights(self, module: nn.Module) -> None:
        if not initialise_backbone(module):
            super()._init_weights(module)


def positions(mask_BJ: Tensor) -> Tensor:
    """Where each token stands, from 0; padding takes no place."""
    return ((mask_BJ != 0).long().cumsum(1) - 1).clamp_min(0)
