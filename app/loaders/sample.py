"""Banks of many generated stories, of a model and its untrained control: read once for every page.

Story k is the one that ``generate_story`` makes with seed k, so that each can be opened by a link.
"""

import streamlit as st

from app.loaders.models import load_model, model_lock
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.sample.story_sample import StorySample

MAX_SENTENCES = 4_000  # of a sample: 25 MB a model with 24 slots of 64, and probes of seconds, not minutes


@st.cache_resource(max_entries=8, show_spinner=False)
def page_sample(task: str, n: int) -> StorySample:
    """The first ``n`` stories of a task, or as many of them as a page reads."""
    return StorySample(task, n).up_to(MAX_SENTENCES)


@st.cache_resource(max_entries=4, show_spinner=False)
def load_rows(model: str, sample: StorySample, is_trained: bool) -> BankRows:
    """Banks and facts after every sentence, of the model or of its untrained control."""
    lm = load_model(model)
    return sample.rows(lm if is_trained else sample.control(lm), lock=model_lock)


def load_both(model: str, sample: StorySample) -> tuple[BankRows, BankRows]:
    """Rows of the model and of its untrained control."""
    trained, control = (
        load_rows(model, sample, is_trained) for is_trained in track((True, False), "reading", "model")
    )
    return trained, control
