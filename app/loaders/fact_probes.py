"""Probes that decode facts from a bank, trained once per model and task."""

from collections.abc import Mapping
from random import Random

import streamlit as st

from app.loaders.models import load_model, load_untrained
from app.loaders.sample import read_in_parts
from lm2core.babi.tasks import Story, make_story
from lm2viz.probes.reading import FactProbe, fit_fact_probes
from lm2viz.progress import track
from lm2viz.sample.rows import bank_rows

FIRST_SEED = 10_001  # above those that a page can show: no shown story was trained on
N_STORIES, MAX_SENTENCES = 150, 1_500  # whichever is reached first: stories of some tasks are long


@st.cache_resource(max_entries=6, show_spinner=False)
def load_fact_probes(model: str, task: str) -> Mapping[str, FactProbe]:
    """A probe for each fact of the task's stories, with its controls. Takes seconds to a minute.

    Raises
    ------
    UserError
        When stories of the task have no fact that can be probed.
    """
    stories = _stories(task)
    rows, control = (
        bank_rows(read_in_parts(lm, stories, ["hook_bank"]))
        for lm in track((load_model(model), load_untrained(model)), "reading", "model")
    )
    return fit_fact_probes(rows, untrained=control)


def _stories(task: str) -> list[Story]:
    stories: list[Story] = []
    while len(stories) < N_STORIES and sum(len(one.sentences) for one in stories) < MAX_SENTENCES:
        stories.append(make_story(task, Random(FIRST_SEED + len(stories))))
    return stories
