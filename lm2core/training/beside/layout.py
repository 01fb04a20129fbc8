"""What the dimensions of a memory beside a Llama start as, and which of its weights each stage may change.

Three parts of its width: ``context`` (whose fact it is, from the words around a token), ``read`` (what is read
from a slot arrives here) and ``content`` (which word a token is, from the embedding). A slot takes content from
``content``; reads move it to ``read``, so that what is written again never mixes with what was read. These are
start values and masks of ordinary weights: the model that comes out knows no parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lm2core.model.config import LM2Config
from lm2core.model.memory import LM2Memory
from lm2core.training.beside.streams import Scale

ADDRESS_SCALE = 4.0  # standard deviation of the routing's queries: a token then prefers one or two slots
CONTENT_SCALE = 0.5
JOIN_SCALE = 20.0  # of a read, in the units of the stream that it joins
PCA_ROWS = 4  # every so many rows of the embedding are used


@dataclass(frozen=True)
class Parts:
    """The three parts of the memory's width, as slices."""

    context: slice
    read: slice
    content: slice

    @classmethod
    def of(cls, config: LM2Config) -> "Parts":
        """A third of the width each."""
        third = config.bank_width // 3
        return cls(slice(0, third), slice(third, 2 * third), slice(2 * third, 3 * third))


class Masks:
    """For each weight a mask of what may change; weights without one are free."""

    def __init__(self, weights: dict[nn.Parameter, Tensor]) -> None:
        self.weights = weights

    def apply(self, parameters: Iterator[nn.Parameter]) -> None:
        """Remove gradients of what is to stay."""
        for p in parameters:
            if p.grad is not None and p in self.weights:
                p.grad *= self.weights[p]


def rows_of(mem: LM2Memory, name: str) -> slice:
    """The rows of ``token_proj`` that hold the map ``name``."""
    start = 0
    for key, size in mem.token_maps.items():
        if key == name:
            return slice(start, start + size)
        start += size
    raise KeyError(name)


@torch.no_grad()
def initialise(mem: LM2Memory, embedding_VD: Tensor, final_norm_D: Tensor, scale: Scale) -> None:
    """Start values: contents are the main components of the embedding, addresses equal random maps."""
    raise NotImplementedError
