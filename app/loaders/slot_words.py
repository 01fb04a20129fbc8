"""What each slot makes a question say when it is read alone, measured once for a step of a story."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, model_lock
from app.loaders.traces import load_trace
from lm2viz.causal.slot_lens import slot_lens
from lm2viz.causal.slot_lens_result import SlotLens


@st.cache_resource(max_entries=64, show_spinner=False)
def load_slot_words(model: str, sentences: Sequence[str], step: int, question: str) -> SlotLens:
    """The slot lens of ``question`` after ``step`` sentences."""
    lm, trace = load_model(model), load_trace(model, sentences)
    with model_lock:
        return slot_lens(lm, trace, question, n_sentences=step)
