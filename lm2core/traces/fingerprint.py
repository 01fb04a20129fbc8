"""A fingerprint of a model's weights: two checkpoints of a run may have the same name and config."""

from hashlib import sha256

import torch
from torch import nn

N_VALUES = 64  # of each tensor; hashing all values of a large model would take longer than reading a story


def fingerprint(model: nn.Module) -> str:
    """A hash of evenly spaced values of every weight tensor; the same on every device.

    Models that differ only in other values have the same fingerprint; the same model in another precision has
    a different one.
    """
    flat = [weight.detach().flatten() for weight in model.parameters()]
    values = torch.cat([weight[:: max(1, len(weight) // N_VALUES)].float().cpu() for weight in flat])
    return sha256(values.numpy().tobytes()).hexdigest()[:16]
