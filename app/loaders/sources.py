"""Where what a question read came from, followed once."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.traces import load_answer, load_trace
from lm2core.story_traces import asked_once
from lm2viz.sources import Sources, sources_of


@st.cache_resource(max_entries=64, show_spinner=False)
def load_sources(
    model: str, sentences: Sequence[str], step: int, question: str, support: Sequence[int]
) -> Sources:
    """The sources of ``question`` asked after ``step`` sentences; ``support`` counts from 0.

    Raises
    ------
    ValueError
        For memory whose content cannot be followed, or too many sentences.
    """
    answer = load_answer(model, sentences, step, question)
    return sources_of(load_trace(model, sentences), asked_once(answer, step, support=support))
