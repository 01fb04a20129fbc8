"""The size of a model before it is made: parameters, counted on the meta device, and their bytes."""

from dataclasses import dataclass

import torch
from torch import nn

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config

BYTES_BF16 = 2
BYTES_TRAINED = 16  # float32 weights, gradients and AdamW's two moments


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """Counts of one model, without activations, which depend on batch and text.

    n_backbone, n_memory : parameters of the Llama, and of the memory
    n_bank : values in the bank of one text
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
        """Bytes of weights and one bank in bf16."""
        return BYTES_BF16 * (self.n_parameters + self.n_bank)

    @property
    def train_bytes(self) -> int:
        """Bytes of weights, gradients and optimizer state."""
        return BYTES_TRAINED * self.n_parameters


def n_parameters(model: nn.Module) -> int:
    """Number of parameters of a model; tied weights count once."""
    return sum(p.numel() for p in model.parameters())


def n_memory_parameters(model: nn.Module) -> int:
    """Number of parameters of a model's memory."""
    return sum(p.numel() for name, p in model.named_parameters() if ".mem." in name)


def model_size(config: LM2Config) -> ModelSize:
    """Count the parameters of ``config`` without allocating them; tied weights count once."""
    with torch.device("meta"):
        model = LM2ForCausalLM(config)
    n_memory = n_memory_parameters(model)
    return ModelSize(
        n_backbone=n_parameters(model) - n_memory,
        n_memory=n_memory,
        n_bank=config.memory_slots * config.bank_width,
    )
