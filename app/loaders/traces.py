"""What the memory does while a story is read: as it is, with gates moved, in an untrained model."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, load_untrained, model_lock
from lm2core.reading.answers import Answer, ask, bank_after, read_story
from lm2core.traces.trace import Trace
from lm2viz.causal.gate_edit import GateMove, Moved, read_moved
from lm2viz.progress import counting_sentences

TRACE_BUDGET = "200MB"  # of one recorded story; 400 sentences of 7 words take 74 MB
ATTENTION_BUDGET = "60MB"  # of one story; 400 sentences of 32 words take 26 MB with 4 heads in 4 blocks


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


@st.cache_resource(max_entries=6, show_spinner=False)
def load_self_attention(model: str, sentences: Sequence[str]) -> Trace:
    """How the words of each sentence attend to each other while ``model`` reads the story."""
    reader = load_model(model)
    with model_lock, counting_sentences(reader.model, len(sentences)):
        return read_story(reader, sentences, names=["attn.hook_pattern"], budget=ATTENTION_BUDGET)


@st.cache_resource(max_entries=6)
def _untrained_banks(model: str, sentences: Sequence[str]) -> Trace:
    reader = load_untrained(model)
    with model_lock, counting_sentences(reader.model, len(sentences), "reading untrained"):
        return read_story(reader, sentences, names=["hook_bank"], budget=ATTENTION_BUDGET)


@st.cache_resource(max_entries=64, show_spinner=False)
def load_untrained_read(model: str, sentences: Sequence[str], step: int, question: str) -> Trace:
    """What the question reads after ``step`` sentences in an untrained model of the same sizes."""
    reader, trace = load_untrained(model), _untrained_banks(model, sentences)
    with model_lock:
        return ask(reader, question, bank_after(trace, step, reader.model)).trace


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
