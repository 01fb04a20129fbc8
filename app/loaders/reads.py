"""What a question reads when nothing was learnt, and how the words of a story look at each other."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, model_lock
from app.loaders.untrained import load_untrained
from lm2core.answers import ask, bank_after, read_story
from lm2core.trace import Trace
from lm2viz.progress import counting_sentences

ATTENTION_BUDGET = "60MB"  # of one story; 400 sentences of 32 words take 26 MB with 4 heads in 4 blocks


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
