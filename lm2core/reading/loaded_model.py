"""A model with its tokenizer, and the untrained control beside it."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

_seeding = Lock()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer, under the name it was asked for.

    model : LM2ForCausalLM, or one of the baselines, which is called alike but has no hook points
    """

    name: str
    model: Any
    tokenizer: PreTrainedTokenizerBase


def untrained(lm: LoadedModel, seed: int) -> LoadedModel:
    """A new model of the same sizes, with the same tokenizer."""
    with _seeding, torch.random.fork_rng():  # the generator is everybody's: one seed at a time
        torch.manual_seed(seed)
        model = type(lm.model)(lm.model.config).eval()
    return LoadedModel("untrained", model, lm.tokenizer)
