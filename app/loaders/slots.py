"""Slots over many generated stories: their map, what writes to and reads them, explanations, matches.

Story k is the one that ``generate_story`` makes with seed k, so that each can be opened by a link.
"""

from random import Random

import streamlit as st

from app.loaders.models import load_model, load_untrained, model_lock
from app.loaders.sample import read_in_parts
from lm2core.babi.known_facts import known_facts
from lm2core.babi.tasks import Story, make_story
from lm2core.errors import UserError
from lm2core.reading.story_traces import record_questions
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows, bank_rows
from lm2viz.slots import Explanations, Matching, TopContexts, explain_slots, match_slots, top_contexts
from lm2viz.slots.strengths import READ_HOOKS, WRITE_HOOKS
from lm2viz.slots.suggestion import best_explained_slot
from lm2viz.stats import SlotMap, map_slots
from lm2viz.stats.places import first_stories

SIZES = (50, 100, 200)  # stories
N_MATCHED = 100  # stories on which two models are compared
FIRST_OTHER, N_OTHER = 1_000, 20  # seeds of the stories that suggest a slot; none is on a map
MAX_POINTS = 3_000  # of a map, fitted and drawn; its distances take quadratic memory and time


def n_slots(model: str) -> int:
    """Slots of the bank of a model."""
    return int(load_model(model).model.config.memory_slots)


def _first_stories(task: str, n: int, first: int = 0) -> list[Story]:
    return [make_story(task, Random(seed)) for seed in range(first, first + n)]


@st.cache_data(max_entries=40)
def fact_names(task: str, n: int) -> list[str]:
    """Names of the facts known after some sentence of these stories, sorted."""
    return sorted(
        {
            name
            for story in _first_stories(task, n)
            for facts in known_facts(story.statements)
            for name in facts
        }
    )


@st.cache_data(max_entries=40, show_spinner=False)
def suggest_slot(model: str, task: str) -> tuple[int, str] | None:
    """Slot and fact to show first, chosen on stories that no map has; None where no fact is known."""
    try:
        return best_explained_slot(_load_rows(model, task, N_OTHER, FIRST_OTHER, True))
    except UserError:
        return None


@st.cache_resource(max_entries=4)  # 6 kB a sentence with 24 slots of 64: at most 100 MB each for qa3
def _load_rows(model: str, task: str, n: int, first: int, is_trained: bool) -> BankRows:
    """Banks after every sentence of the stories, of the model or of its untrained control."""
    lm = load_model(model) if is_trained else load_untrained(model)
    return bank_rows(read_in_parts(lm, _first_stories(task, n, first), ("hook_bank",)))


@st.cache_resource(max_entries=12, show_spinner=False)
def load_map(model: str, task: str, n: int, fact: str, slots: tuple[int, ...]) -> SlotMap:
    """Slots of these stories as points, beside an untrained model's; fewer stories where they are too many.

    Raises
    ------
    UserError
        For no slot, or a fact with a single value.
    """
    if not slots:
        raise UserError("no slot is chosen; choose at least one")
    trained, untrained = (
        first_stories(_load_rows(model, task, n, 0, is_trained), MAX_POINTS // len(slots))
        for is_trained in track((True, False), "reading", "model")
    )
    return map_slots(trained, fact, slots=slots, untrained=untrained)


@st.cache_resource(max_entries=8, show_spinner=False)
def load_contexts(model: str, task: str, n: int) -> TopContexts:
    """What writes to each slot and what reads it. Takes seconds to minutes."""
    lm = load_model(model)
    traces = read_in_parts(lm, _first_stories(task, n), (*WRITE_HOOKS, "hook_bank"))
    questions = []
    for trace in track(traces, "asking questions", "part"):
        with model_lock:
            questions.append(record_questions(lm, trace, names=READ_HOOKS))
    return top_contexts(traces, questions)


@st.cache_resource(max_entries=8, show_spinner=False)
def load_explanations(model: str, task: str, n: int) -> Explanations:
    """What explains each slot, with its controls. Takes seconds to minutes."""
    return explain_slots(_load_rows(model, task, n, 0, True))


@st.cache_resource(max_entries=8, show_spinner=False)
def load_matching(first: str, second: str, names: tuple[str, str], task: str) -> Matching:
    """Slots of two models, matched. Takes seconds to minutes."""
    models = track((first, second), "reading stories", "model")
    return match_slots(*(_load_rows(model, task, N_MATCHED, 0, True) for model in models), names=names)
