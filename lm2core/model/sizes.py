"""How large a model is before it is made: parameters counted on the meta device, and what they take."""

from dataclasses import dataclass

import torch
from torch import nn

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config

BYTES_BF16 = 2
BYTES_TRAINED = 16  # 32-bit weights, gradients and AdamW's two moments


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """Counts of one model; activations, which depend on batch and text, are not in them.

    n_backbone, n_memory : parameters a Llama has, and those of the memory
    n_bank : numbers in one story's bank
    """

    n_backbone: int
    n_memory: int
    n_bank: int

    @property
    def n_parameters(self) -> int:
        """All parameters."""
        return self.n_backbone + self.n_memory

    @property
    def run_bytes(self) -> int:
        """Weights and one bank in bf16."""
        return BYTES_BF16 * (self.n_parameters + self.n_bank)

    @property
    def train_bytes(self) -> int:
        """Weights, gradients and optimizer state."""
        return BYTES_TRAINED * self.n_parameters


def n_parameters(model: nn.Module) -> int:
    """Parameters of a model; tied weights count once."""
    return sum(p.numel() for p in model.parameters())


def model_size(config: LM2Config) -> ModelSize:
    """Count the parameters of ``config`` without making them; tied weights count once."""
    with torch.device("meta"):
        model = LM2ForCausalLM(config)
    n_memory = sum(p.numel() for name, p in model.named_parameters() if ".mem." in name)
    return ModelSize(
        n_backbone=n_parameters(model) - n_memory,
        n_memory=n_memory,
        n_bank=config.memory_slots * config.hidden_size,
    )
