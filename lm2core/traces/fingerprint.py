"""Fingerprints: two checkpoints of a run may have the same name and config, two tokenizers the same size."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn

N_VALUES = 64  # of each tensor; hashing all values of a large model would take longer than reading a story


def fingerprint(model: nn.Module) -> str:
    """A hash of evenly spaced values of every weight tensor; the same on every device.

    Models that differ only in other values have the same fingerprint; the same model in another precision has
    a different one.
    """
    return _of_weights(model.parameters())


def backbone_fingerprint(model: nn.Module) -> str:
    """The fingerprint of all weights but those of the memory; that of a plain Llama is of all weights."""
    return _of_weights(weight for name, weight in model.named_parameters() if ".mem." not in name)


def vocabulary_fingerprint(vocabulary: Mapping[str, int]) -> str:
    """A hash of the tokens of a tokenizer and of their ids."""
    return sha256(json.dumps(sorted(vocabulary.items())).encode()).hexdigest()[:16]


def _of_weights(weights: Iterable[Tensor]) -> str:
    flat = [weight.detach().flatten() for weight in weights]
    values = torch.cat([weight[:: max(1, len(weight) // N_VALUES)].float().cpu() for weight in flat])
    return sha256(values.numpy().tobytes()).hexdigest()[:16]
