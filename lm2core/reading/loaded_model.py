"""A model with its tokenizer, and its untrained control. Only making that control imports torch."""

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_seeding = Lock()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer, under the name it was requested by.

    model : LM2ForCausalLM, or a baseline, which is called in the same way but has no hook points
    """

    name: str
    model: Any
    tokenizer: "PreTrainedTokenizerBase"


def untrained(lm: LoadedModel, seed: int) -> LoadedModel:
    """A new model of the same sizes with random weights, and with the same tokenizer."""
    import torch

    with _seeding, torch.random.fork_rng():  # the generator is global: one thread at a time
        torch.manual_seed(seed)
        model = type(lm.model)(lm.model.config).eval()
    return LoadedModel("untrained", model, lm.tokenizer)
