"""Models asked after every sentence of a story, and the project's comparison of LM2 with baselines."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.loaders.models import load_asked, model_lock
from lm2core.errors import UserError
from lm2core.reading.answers import answers_by_step
from lm2core.text.tokenizer import check_words
from lm2viz.compare.architectures import Comparison, read_comparison
from lm2viz.compare.by_sentence import AnswersByStep, answers_over_story
from lm2viz.progress import track

TABLE = Path(__file__).parents[2] / "docs" / "comparison" / "table.json"


@st.cache_resource(max_entries=1)
def load_comparison() -> Comparison:
    """The table of docs/comparison; UserError when it is missing."""
    return read_comparison(TABLE)


def knows(name: str, texts: Sequence[str]) -> bool:
    """Whether the model ``name`` knows every word; UserError when it cannot be opened."""
    tokenizer = load_asked(name).tokenizer
    try:
        check_words(tokenizer, texts)
    except UserError:
        return False
    return True


@st.cache_resource(max_entries=32, show_spinner=False)
def load_answers_by_step(
    names: Sequence[str], sentences: Sequence[str], question: str, truth: Sequence[str | None]
) -> AnswersByStep:
    """What each model answers after every sentence; UserError where one cannot be asked."""
    answers = {}
    for name in track(names, "asking", "model"):
        with model_lock:
            answers[name] = answers_by_step(load_asked(name), sentences, question)
    return answers_over_story(question, sentences, answers, truth)
