"""What the memory does while a story is read: unedited, with edited gates, in an untrained model."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, load_untrained, model_lock
from lm2core.reading.answers import Answer, ask, bank_after, read_story
from lm2core.traces.trace import Trace
from lm2viz.causal.gate_edit import GateEdit, GateEditRun, read_with_gate_edit
from lm2viz.progress import counting_sentences

TRACE_BUDGET = "200MB"  # of one recorded story; 400 sentences of 7 words take 74 MB
ATTENTION_BUDGET = "60MB"  # of one story; 400 sentences of 32 words take 26 MB with 4 heads in 4 blocks


@st.cache_resource(max_entries=6, show_spinner=False)
def load_trace(model: str, sentences: Sequence[str]) -> Trace:
    """What the memory of ``model`` does while it reads ``sentences``."""
    lm = load_model(model)
    with model_lock, counting_sentences(lm.model, len(sentences)):
        return read_story(lm, sentences, budget=TRACE_BUDGET)


@st.cache_resource(max_entries=64, show_spinner=False)
def load_answer(model: str, sentences: Sequence[str], step: int, question: str) -> Answer:
    """The answer after ``step`` of the ``sentences``; step 0 asks a fresh bank."""
    lm, trace = load_model(model), load_trace(model, sentences)
    with model_lock:
        return ask(lm, question, bank_after(trace, step, lm.model))


@st.cache_resource(max_entries=6, show_spinner=False)
def load_self_attention(model: str, sentences: Sequence[str]) -> Trace:
    """How the words of each sentence attend to each other while ``model`` reads the story."""
    lm = load_model(model)
    with model_lock, counting_sentences(lm.model, len(sentences)):
        return read_story(lm, sentences, names=["attn.hook_pattern"], budget=ATTENTION_BUDGET)


@st.cache_resource(max_entries=6)
def _untrained_banks(model: str, sentences: Sequence[str]) -> Trace:
    lm = load_untrained(model)
    with model_lock, counting_sentences(lm.model, len(sentences), "reading with an untrained model"):
        return read_story(lm, sentences, names=["hook_bank"], budget=ATTENTION_BUDGET)


@st.cache_resource(max_entries=64, show_spinner=False)
def load_untrained_read(model: str, sentences: Sequence[str], step: int, question: str) -> Trace:
    """What the question reads after ``step`` sentences in an untrained model of the same sizes."""
    lm, trace = load_untrained(model), _untrained_banks(model, sentences)
    with model_lock:
        return ask(lm, question, bank_after(trace, step, lm.model)).trace


@st.cache_resource(max_entries=64)
def load_gate_edit(model: str, sentences: Sequence[str], gate_edit: GateEdit, until: int) -> GateEditRun:
    """The sentence of ``gate_edit`` read with edited gates, then the story up to sentence ``until``."""
    lm, trace = load_model(model), load_trace(model, sentences)
    first = gate_edit.step - 1
    with model_lock:
        return read_with_gate_edit(lm, sentences[first:until], bank_after(trace, first, lm.model), gate_edit)


@st.cache_resource(max_entries=64)
def load_gate_edit_answer(
    model: str, sentences: Sequence[str], gate_edit: GateEdit, until: int, question: str
) -> Answer:
    """The answer to ``question`` after ``load_gate_edit``."""
    edited_run = load_gate_edit(model, sentences, gate_edit, until)
    with model_lock:
        return ask(load_model(model), question, edited_run.bank)
