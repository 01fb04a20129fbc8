"""Slots of one story put into another, on many stories of a task, measured once for all users."""

import streamlit as st

from app.loaders.models import load_model, workbench
from lm2viz.causal import Interchange, interchange
from lm2viz.causal.interchange_pairs import askable_facts
from lm2viz.sample.story_sample import StorySample

N_STORIES = (100, 200, 400)
N_FOR_FACTS = 40  # stories: in so many every fact of a task occurs


@st.cache_data(max_entries=100, show_spinner=False)
def facts_of(task: str, seed: int) -> list[str]:
    """The facts of a task that a question asks about; none where it has no such fact."""
    return askable_facts(StorySample(task, N_FOR_FACTS, seed).stories)


def n_slots(model: str) -> int:
    """Slots of the model's bank."""
    return int(load_model(model).model.config.memory_slots)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_interchange(
    model: str, sample: StorySample, fact: str, slots: tuple[int, ...], n_donors: int
) -> Interchange:
    """As ``lm2viz.interchange``; without slots the best one, chosen on other stories. Takes seconds."""
    lm, lock = workbench(model)
    with lock:
        return interchange(lm, sample.stories, fact, slots or None, n_donors=n_donors, seed=sample.seed)
