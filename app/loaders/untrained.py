"""The control beside a model: a new one of the same sizes, which has learnt nothing."""

import streamlit as st

from app.loaders.models import load_model, model_lock
from lm2core.answers import Reader
from lm2core.compare.measures import untrained

SEED = 0


@st.cache_resource(max_entries=2)
def load_untrained(model: str) -> Reader:
    """A new model of the sizes of ``model``, with its tokenizer."""
    with model_lock:
        return untrained(load_model(model), SEED)
