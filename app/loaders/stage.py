"""What the stage draws: the payload of a story, and the model itself where a page can hold it.

Both of an example story ship computed: the first page is drawn before torch is imported.
"""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import load_model, model_lock
from lm2core.errors import UserError
from lm2viz.stage.examples import shipped_engine, shipped_payload
from lm2viz.stage.page import check_length, probes_for
from lm2viz.stage.slot_probes import Json
from lm2viz.stage.weights import model_json


@st.cache_resource(max_entries=6, show_spinner=False)
def load_probes(model: str) -> dict[str, list[Json]]:
    """Probes of a model by task: at once for a shipped model, in a minute for another."""
    from lm2viz.stage.shipped import stage_probes

    lm = load_model(model)
    if lm.is_beside_llama:  # its slots are named by the slot lens
        return {}
    with model_lock:
        return stage_probes(lm)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_payload(model: str, sentences: Sequence[str], questions: Sequence[str]) -> Json:
    """The payload of a story.

    Raises
    ------
    UserError
        For a story that is too long for a stage, or unknown words.
    """
    check_length(sentences)
    shipped = shipped_payload(model, sentences, questions)
    return _computed(model, sentences, questions) if shipped is None else shipped


def _computed(model: str, sentences: Sequence[str], questions: Sequence[str]) -> Json:
    from app.loaders.traces import load_trace
    from lm2viz.stage.story_payload import story_payload

    lm, probes, trace = load_model(model), load_probes(model), load_trace(model, sentences)
    with model_lock:
        return story_payload(lm, sentences, questions, probes=probes_for(probes, sentences), trace=trace)


@st.cache_resource(max_entries=6, show_spinner=False)
def load_engine(model: str) -> Json | None:
    """The model and its probes for the browser; None for a model that the browser does not run."""
    shipped = shipped_engine(model)
    if shipped is not None:
        return shipped
    try:
        return {"model": model_json(load_model(model)), "probes": load_probes(model)}
    except UserError:
        return None
