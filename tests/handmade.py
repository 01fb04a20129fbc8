"""The simplest model of ``lm2viz.trial``: slot 3 holds the place of Mary. Most analyses are tested on it.

Its slots are known by construction: see ``lm2viz.trial.constructed``.
"""

from random import Random

import torch
from torch import Tensor

from lm2core.babi.counterfactual import Counterfactual
from lm2core.babi.story import Story
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.trial.constructed import PLACES, SHARP, TOKENIZER, Layout, Memory, construct
from lm2viz.trial.stories import draw_pair, draw_story, story_of

__all__ = ["PLACES", "SHARP", "TOKENIZER", "story_of"]

SLOT_OF = {"Mary": 3, "John": 0, "Sandra": 2}  # slot 1 and the last one hold nothing
N_SLOTS, UNUSED, MEMORY_BLOCK = 5, (1, 4), 1
LAYOUT = Layout(N_SLOTS)
AT, SAID, WIDTH = LAYOUT.places, LAYOUT.said, LAYOUT.width


def handmade_lm() -> LoadedModel:
    """The model and its tokenizer."""
    return construct("handmade", [Memory(SLOT_OF)], LAYOUT)


def handmade_story(rng: Random, n_sentences: int = 7) -> Story:
    """People go to places; the last question is about one of them."""
    return draw_story(rng, n_sentences)


def handmade_stories(n: int, *, n_sentences: int = 7, seed: int = 0) -> list[Story]:
    """Several stories."""
    rng = Random(seed)
    return [handmade_story(rng, n_sentences) for _ in range(n)]


def handmade_pair(rng: Random, n_sentences: int = 5) -> Counterfactual:
    """A story and the same with another place in the sentence that answers its question."""
    return draw_pair(rng, n_sentences)


def place_code(place: str) -> Tensor:
    """What a slot holds of a place, (4,), in the dimensions ``AT`` to ``SAID``."""
    return torch.tensor([1.0 if place == other else -1.0 for other in PLACES])
