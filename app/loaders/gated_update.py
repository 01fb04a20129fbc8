"""A sentence read with gates moved by hand, and what a question answers then."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, model_lock
from app.loaders.traces import load_trace
from lm2core.answers import Answer, ask, bank_after
from lm2viz.causal.moved import GateMove, Moved, read_moved


@st.cache_resource(max_entries=64)
def load_moved(model: str, sentences: Sequence[str], move: GateMove, until: int) -> Moved:
    """The sentence of ``move`` read with moved gates, then the story on up to sentence ``until``."""
    reader, trace = load_model(model), load_trace(model, sentences)
    first = move.step - 1
    with model_lock:
        return read_moved(reader, sentences[first:until], bank_after(trace, first, reader.model), move)


@st.cache_resource(max_entries=64)
def load_moved_answer(
    model: str, sentences: Sequence[str], move: GateMove, until: int, question: str
) -> Answer:
    """The answer to ``question`` after that."""
    moved = load_moved(model, sentences, move, until)
    with model_lock:
        return ask(load_model(model), question, moved.bank)
