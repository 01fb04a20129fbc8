"""A user's interventions: parsed, run on one story and on many. Keyed by their JSON text."""

from collections.abc import Sequence

import streamlit as st
from torch import Tensor

from app.loaders.models import load_model, model_lock, workbench
from app.loaders.traces import load_trace
from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.reading.answers import bank_after
from lm2viz.causal import Effect, Intervention, Zero, effect, from_json, run, to_json
from lm2viz.causal.editing import needs_reference
from lm2viz.causal.on_story import StoryEffect, most_important_slot, story_effect, story_with_question
from lm2viz.sample.story_sample import StorySample

MAX_BYTES, MAX_EDITS = 200_000, 12  # of a JSON file, and interventions in it
N_REFERENCE = 20  # stories
FALLBACK = to_json([Zero(slots=(0,))])  # where no better one is found


@st.cache_resource(max_entries=4)
def _reference(model: str, task: str, seed: int) -> Tensor:
    """Banks of other stories, for interventions that take content from them."""
    with model_lock:
        return run(load_model(model), StorySample(task, N_REFERENCE, seed).stories).banks


@st.cache_data(max_entries=32)
def default_edits(model: str, sentences: Sequence[str], question: str, step: int) -> str:
    """JSON of an intervention that changes something: zeros in the slot that the question needs most."""
    lm, trace = load_model(model), load_trace(model, sentences)
    with model_lock:
        slot = most_important_slot(lm, question, bank_after(trace, step, lm.model))
    return to_json([Zero(slots=(slot,))])


def read_edits(data: str | bytes) -> list[Intervention]:
    """The interventions of a JSON text.

    Raises
    ------
    UserError
        One line: too large, not text, not JSON, or not interventions.
    """
    example = 'write for example [{"kind": "zero", "slots": [3]}]'
    if len(data) > MAX_BYTES:
        raise UserError(
            f"the file has {len(data)} bytes; interventions may have at most {MAX_BYTES}; {example}"
        )
    try:
        edits = from_json(data.decode() if isinstance(data, bytes) else data)
    except UnicodeDecodeError:
        raise UserError(f"the file is not text; {example}") from None
    if not 1 <= len(edits) <= MAX_EDITS:
        raise UserError(f"got {len(edits)} interventions; the page runs 1 to {MAX_EDITS}; {example}")
    return edits


@st.cache_data(max_entries=64, show_spinner=False)
def load_story_effect(
    model: str,
    sentences: Sequence[str],
    questions: Sequence[Question],
    question_text: str,
    edits: str,
    *,
    task: str,
    seed: int,
) -> StoryEffect:
    """The effect on one story; ``question_text``, if any, is asked at its end instead of its questions."""
    interventions = read_edits(edits)
    reference = _reference(model, task, seed) if needs_reference(interventions) else None
    with model_lock:
        lm = load_model(model)
        story = (
            story_with_question(lm, sentences, question_text)
            if question_text
            else TextStory(tuple(sentences), tuple(questions))
        )
        return story_effect(lm, story, interventions, reference=reference)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_effect(model: str, edits: str, sample: StorySample) -> Effect:
    """The effect on many stories, beside placebos. Takes seconds to minutes."""
    lm, lock = workbench(model)
    with lock:
        return effect(lm, sample.stories, read_edits(edits), seed=sample.seed)
