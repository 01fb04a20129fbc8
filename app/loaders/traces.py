"""What the memory did while a story was read, and what a question read from it."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, model_lock
from lm2core.answers import Answer, ask, bank_after, read_story
from lm2core.trace import Trace
from lm2viz.progress import counting_sentences

TRACE_BUDGET = "200MB"  # of one recorded story; 400 sentences of 7 words take 74 MB


@st.cache_resource(max_entries=6, show_spinner=False)
def load_trace(model: str, sentences: Sequence[str]) -> Trace:
    """What the memory of ``model`` does while it reads ``sentences``."""
    reader = load_model(model)
    with model_lock, counting_sentences(reader.model, len(sentences)):
        return read_story(reader, sentences, budget=TRACE_BUDGET)


@st.cache_resource(max_entries=64, show_spinner=False)
def load_answer(model: str, sentences: Sequence[str], step: int, question: str) -> Answer:
    """The answer after ``step`` of the ``sentences``; step 0 asks a fresh bank."""
    reader, trace = load_model(model), load_trace(model, sentences)
    with model_lock:
        return ask(reader, question, bank_after(trace, step, reader.model))
