"""Models, stories, traces and answers, computed once and kept. The only module with caches.

All are keyed by text and numbers. One lock guards every run of a model: hooks belong to the module, so a
recorded run of one visitor must not see the run of another.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Lock

import streamlit as st

from lm2core.answers import Answer, Reader, ask, bank_after, read_story
from lm2core.babi.tasks import Story, make_story
from lm2core.babi.text import TextStory, read_babi
from lm2core.checkpoints import load_reader, shipped_models
from lm2core.trace import Trace

EXAMPLES = Path(__file__).parent / "examples"
MAX_SENTENCES = 400  # what the page steps through smoothly; 'lm2 trace' has no such limit
MAX_OWN_STORIES = 200  # pasted stories the server remembers for their links
_model_lock = Lock()


def model_names() -> list[str]:
    """Models the app offers: the shipped ones."""
    return shipped_models()


def example_names() -> list[str]:
    """Stories that come with the app."""
    return sorted(path.stem for path in EXAMPLES.glob("*.txt"))


@st.cache_resource(max_entries=2)
def load_model(name: str) -> Reader:
    """The model ``name``; ValueError when it cannot be opened."""
    return load_reader(name)


@st.cache_data(max_entries=20)
def load_example(name: str) -> TextStory:
    """A story that comes with the app."""
    return read_babi(EXAMPLES / f"{name}.txt")[0]


@st.cache_data(max_entries=50)
def generate_story(task: str, seed: int) -> Story:
    """A fresh story of a task; the same seed tells the same story."""
    return make_story(task, Random(seed))


@st.cache_resource(max_entries=8)
def load_trace(model: str, sentences: Sequence[str]) -> Trace:
    """What the memory of ``model`` does while it reads ``sentences``."""
    with _model_lock:
        return read_story(load_model(model), sentences)


@st.cache_resource(max_entries=64)
def load_answer(model: str, sentences: Sequence[str], step: int, question: str) -> Answer:
    """The answer after ``step`` of the ``sentences``; step 0 asks a fresh bank."""
    reader, trace = load_model(model), load_trace(model, sentences)
    with _model_lock:
        return ask(reader, question, bank_after(trace, step, reader.model))


@st.cache_resource
def _own_stories() -> dict[str, tuple[str, ...]]:
    return {}


def remember_story(sentences: Sequence[str]) -> str:
    """Keep a pasted story for its link and return its key; the oldest are forgotten."""
    key = hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]
    stories = _own_stories()
    stories[key] = tuple(sentences)
    while len(stories) > MAX_OWN_STORIES:
        stories.pop(next(iter(stories)))
    return key


def recall_story(key: str) -> tuple[str, ...] | None:
    """The pasted story of a link, or None when this server does not have it (any more)."""
    return _own_stories().get(key)
