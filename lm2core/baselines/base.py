"""What the baselines of LM2 have in common: transformers' Llama, initialised like LM2's backbone.

They are called like LM2ForCausalLM. rmt.py has RMT and, without memory tokens, the plain Llama that sees one
segment; armt.py has ARMT; full_text.py has the plain Llama that sees the whole text. Axes: see memory.py,
plus J columns of a text or a segment.
"""

from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from lm2core.model.from_llama import StrictCheckpoints
from lm2core.model.initialise import initialise_backbone


class Backbone(LlamaModel):
    """transformers' Llama with the initial values of LM2's backbone."""

    def _init_weights(self, module: nn.Module) -> None:
        if not initialise_backbone(module):
            super()._init_weights(module)


class Baseline(StrictCheckpoints):
    """A Llama with its language-model head."""

    backbone_class: type[Backbone] = Backbone
    base_model_prefix = "model"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    _supports_sdpa = True  # fused attention, as LM2 uses; by default transformers would use a slow one
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.model = self.backbone_class(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def compile_segments(self) -> None:
        """Compile the Llama, for training."""
        self.model.compile(dynamic=True)

    def _init_weights(self, module: nn.Module) -> None:
        if not initialise_backbone(module):
            super()._init_weights(module)


def positions(mask_BJ: Tensor) -> Tensor:
    """Position of each token, from 0; padding does not count."""
    return ((mask_BJ != 0).long().cumsum(1) - 1).clamp_min(0)
