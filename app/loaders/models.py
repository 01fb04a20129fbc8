"""The models the app offers, opened once."""

from threading import Lock

import streamlit as st

from lm2core.answers import Reader
from lm2core.babi.vocabulary import WORDS
from lm2core.checkpoints import load_reader, shipped_models

model_lock = Lock()


def model_names() -> list[str]:
    """Models the app offers: the shipped ones."""
    return shipped_models()


@st.cache_resource(max_entries=2)
def load_model(name: str) -> Reader:
    """The model ``name``; ValueError when it cannot be opened."""
    return load_reader(name)


def known_tasks(model: str) -> list[str]:
    """Tasks whose every word the model knows."""
    known = set(load_model(model).tokenizer.get_vocab())
    return [task for task, words in WORDS.items() if words <= known]
