"""Probes that decode facts from a bank, trained once per model and task."""

from collections.abc import Mapping

import streamlit as st

from app.loaders.models import load_model, model_lock
from lm2viz.probes.reading import FactProbe, fit_fact_probes
from lm2viz.sample.story_sample import StorySample

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
    sample, lm = sample_to_learn(task), load_model(model)
    rows, control = (sample.rows(each, lock=model_lock) for each in sample.model_and_control(lm))
    return fit_fact_probes(rows, untrained=control)


def sample_to_learn(task: str) -> StorySample:
    """The stories that probes learn from."""
    return StorySample(task, N_STORIES, FIRST_SEED).up_to(MAX_SENTENCES)
