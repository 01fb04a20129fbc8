"""Which weights a model has: two checkpoints of a run may have the same name and config."""

from hashlib import sha256

import torch
from torch import nn

N_VALUES = 64  # of each tensor; hashing all of a large model would take longer than a story


def fingerprint(model: nn.Module) -> str:
    """A hash of values of every tensor of the weights, evenly spaced: the same on every device.

    Models that differ only in values between those have the same one; one that is loaded in another precision
    has another.
    """
    flat = [weight.detach().flatten() for weight in model.parameters()]
    values = torch.cat([weight[:: max(1, len(weight) // N_VALUES)].float().cpu() for weight in flat])
    return sha256(values.numpy().tobytes()).hexdigest()[:16]
