"""Models of every kind, baselines too, asked along one story."""

from collections.abc import Sequence

import streamlit as st

from app.loaders import folders
from app.loaders.models import load_model, model_lock
from lm2core.answers import Reader, answers_along
from lm2core.checkpoints import load_reader, shipped_models
from lm2core.tokenizer import check_words
from lm2viz.along import AnswersAlong, along
from lm2viz.progress import track


def all_names() -> list[str]:
    """LM2s and baselines that ship, and the folders that this visitor opened."""
    return shipped_models(baselines=True) + folders.opened_folders()


@st.cache_resource(max_entries=2, show_spinner=False)
def _load_baseline(name: str) -> Reader:
    return load_reader(name, baselines=True)


def _load(name: str) -> Reader:
    is_baseline = name in shipped_models(baselines=True) and name not in shipped_models()
    return _load_baseline(name) if is_baseline else load_model(name)


def knows(name: str, texts: Sequence[str]) -> bool:
    """Whether the model ``name`` knows every word; a ValueError when it cannot be opened."""
    tokenizer = _load(name).tokenizer
    try:
        check_words(tokenizer, texts)
    except ValueError:
        return False
    return True


@st.cache_resource(max_entries=32, show_spinner=False)
def load_along(
    names: Sequence[str], sentences: Sequence[str], question: str, truth: Sequence[str | None]
) -> AnswersAlong:
    """What each of the models answers after every sentence; a ValueError where one cannot be asked."""
    answers = {}
    for name in track(names, "asking", "model"):
        with model_lock:
            answers[name] = answers_along(_load(name), sentences, question)
    return along(question, sentences, answers, truth)
