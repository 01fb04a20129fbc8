"""Probes that decode facts from a bank, trained once per model and task."""

from collections.abc import Mapping

import streamlit as st

from app.loaders.models import load_model, model_lock, workbench
from lm2viz.causal.slot_use import used_slots
from lm2viz.probes.reading import FactProbe, fit_fact_probes
from lm2viz.stage.shipped import sample_of


@st.cache_resource(max_entries=6, show_spinner=False)
def load_fact_probes(model: str, task: str) -> Mapping[str, FactProbe]:
    """A probe for each fact of the task's stories, with its controls. Takes seconds to a minute.

    Raises
    ------
    UserError
        When stories of the task have no fact that can be probed.
    """
    sample, lm = sample_of(task), load_model(model)
    rows, control = (sample.rows(each, lock=model_lock) for each in sample.model_and_control(lm))
    return fit_fact_probes(rows, untrained=control)


@st.cache_resource(max_entries=6, show_spinner=False)
def load_used(model: str, task: str) -> Mapping[str, bool]:
    """Whether the answers use the slot of each probe; facts that no question asks for are missing."""
    slots = {fact: probe.slot for fact, probe in load_fact_probes(model, task).items()}
    lm, lock = workbench(model)
    with lock:
        return used_slots(lm, sample_of(task).stories, slots)
