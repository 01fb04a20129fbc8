"""A model with its tokenizer, and its untrained control. Only making that control imports torch."""

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from lm2core.reading.memory_weights import PART

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_seeding = Lock()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer, under the name it was requested by.

    model : LM2ForCausalLM, or a baseline, which is called in the same way but has no hook points
    is_beside_llama : whether the memory alone was trained, beside a Llama that stays as it is
    """

    name: str
    model: Any
    tokenizer: "PreTrainedTokenizerBase"
    is_beside_llama: bool = False


def untrained(lm: LoadedModel, seed: int) -> LoadedModel:
    """A new model of the same sizes with random weights, and with the same tokenizer.

    Of a memory beside a Llama only the memory is new: it is what was trained.
    """
    import torch

    with _seeding, torch.random.fork_rng():  # the generator is global: one thread at a time
        torch.manual_seed(seed)
        model = type(lm.model)(lm.model.config).eval()
    if lm.is_beside_llama:
        of_llama = {name: weight for name, weight in lm.model.state_dict().items() if PART not in name}
        model.load_state_dict(of_llama, strict=False)
    return LoadedModel("untrained", model, lm.tokenizer, lm.is_beside_llama)
