"""The measurements of the lessons, made once for all users."""

import streamlit as st

from app.loaders.models import workbench
from lm2viz.lessons import LESSONS, Lesson, Measured
from lm2viz.lessons.lesson import MODEL


def lesson(title: str) -> Lesson:
    """The lesson of this title."""
    return next(each for each in LESSONS if each.title == title)


@st.cache_resource(max_entries=len(LESSONS), show_spinner=False)
def load_measured(title: str) -> Measured:
    """The measurement of a lesson."""
    lm, lock = workbench(MODEL)
    with lock:
        return lesson(title).measure(lm)
