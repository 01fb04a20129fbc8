"""Where a lesson's result can be seen in one story: on the stage, or on another page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lm2viz.arrays import Array
from lm2viz.causal import Intervention
from lm2viz.stage.slot_probes import Json
from lm2viz.stage.story_payload import story_payload

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One story at one step, and what to look at there.

    text : what to look at, as Markdown
    page : the page of the app that shows it
    story : its number in the lesson's sample, which is its seed; None where there is no story
    step : sentences read, from 1
    question : the question that is shown
    slot : the slot whose card is open; None: no card
    edits : interventions while the story is read
    """

    text: str
    page: str = "stage"
    story: int | None = None
    step: int = 1
    question: str = ""
    slot: int | None = None
    edits: tuple[Intervention, ...] = ()


def place_question(sentence: str) -> str:
    """Where the person of a sentence is: its first word names them."""
    return f"Where is {sentence.split()[0]}?"


def as_staged(lm: "LoadedModel", sentences: Sequence[str], question: str) -> Json:
    """The numbers that the stage shows of a story: so that a lesson speaks of what is seen there."""
    return story_payload(lm, sentences, [question])


def over_blocks(values: Any) -> Array:
    """An array (n_blocks, ...) of a payload, mean over blocks, as the stage shows it first."""
    mean: Array = np.mean(np.asarray(values, dtype=float), axis=0)
    return mean
