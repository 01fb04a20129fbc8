"""Initial weights: the backbone by fan-in, slot keys of unit variance, gates by their biases."""

from torch import nn
from transformers import initialization as init

from lm2core.model.config import LM2Config
from lm2core.model.memory import LM2Memory

FORGET_BIAS = 2.0  # sigmoid(2) = 0.88: an untrained memory keeps most of what it holds
CLOSED_BIAS = -6.0  # sigmoid(-6) = 0.002: an output gate that is almost closed, but can learn to open


def initialise_backbone(module: nn.Module) -> bool:
    """Embeddings of unit variance (token identity must not drown), layers by fan-in; False for others."""
    if isinstance(module, nn.Embedding):
        init.normal_(module.weight)
    elif isinstance(module, nn.Linear):
        bound = module.in_features**-0.5
        init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            init.zeros_(module.bias)
    else:
        return False
    return True


def initialise_memory(module: LM2Memory, config: LM2Config) -> None:
    """Slot keys and the biases of gates; with ``memory_starts_closed`` the memory adds nothing at first."""
    init.normal_(module.slot_key)
    init.constant_(module.gate_forget.bias, FORGET_BIAS)
    if config.memory_starts_closed:
        init.constant_(module.gate_out.bias, CLOSED_BIAS)
        width = config.bank_width
        init.zeros_(module.bank_proj.weight[width : 2 * width])  # W_V: reads nothing yet, but learns
