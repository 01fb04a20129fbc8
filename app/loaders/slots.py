"""Slots over many generated stories: their map, what writes to and reads them, explains and matches."""

import streamlit as st

from app.loaders.models import load_model, model_lock
from app.loaders.sample import load_both, load_rows
from lm2core.errors import UserError
from lm2viz.progress import track
from lm2viz.sample.story_sample import StorySample
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


@st.cache_data(max_entries=40, show_spinner=False)
def suggest_slot(model: str, task: str) -> tuple[int, str] | None:
    """Slot and fact to look at first, chosen on stories that no map has; None where nothing is known."""
    try:
        others = StorySample(task, N_OTHER, FIRST_OTHER)
        return best_explained_slot(others.rows(load_model(model), lock=model_lock))
    except UserError:
        return None


@st.cache_resource(max_entries=12, show_spinner=False)
def load_map(model: str, sample: StorySample, fact: str, slots: tuple[int, ...]) -> SlotMap:
    """Slots of these stories as points, beside an untrained model's; fewer stories where they are too many.

    Raises
    ------
    UserError
        For no slot, or a fact with a single value.
    """
    if not slots:
        raise UserError("no slot is chosen; choose at least one")
    trained, untrained = (first_stories(rows, MAX_POINTS // len(slots)) for rows in load_both(model, sample))
    return map_slots(trained, fact, slots=slots, untrained=untrained)


@st.cache_resource(max_entries=8, show_spinner=False)
def load_contexts(model: str, sample: StorySample) -> TopContexts:
    """What writes to each slot and what reads it. Takes seconds to minutes."""
    lm = load_model(model)
    traces = sample.read(lm, (*WRITE_HOOKS, "hook_bank"), lock=model_lock)
    return top_contexts(traces, sample.questions(lm, traces, READ_HOOKS, lock=model_lock))


@st.cache_resource(max_entries=8, show_spinner=False)
def load_explanations(model: str, sample: StorySample) -> Explanations:
    """What explains each slot, with its controls. Takes seconds to minutes."""
    return explain_slots(load_rows(model, sample, True))


@st.cache_resource(max_entries=8, show_spinner=False)
def load_matching(first: str, second: str, names: tuple[str, str], sample: StorySample) -> Matching:
    """Slots of two models, matched. Takes seconds to minutes."""
    models = track((first, second), "reading stories", "model")
    return match_slots(*(load_rows(model, sample, True) for model in models), names=names)
