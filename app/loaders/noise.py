"""Facts hidden in background text, what the memory does while reading them, and answers about them."""

import streamlit as st

from app.loaders.models import load_model, load_untrained, model_lock
from lm2core.babilong.background_text import open_noise
from lm2core.babilong.excerpts import Background
from lm2core.babilong.samples import BabiLongSample, generated_stories, make_samples
from lm2core.reading.answers import Answer, ask, bank_after, read_story
from lm2core.reading.long_traces import record_sample
from lm2core.traces.trace import Trace
from lm2viz.progress import counting_sentences, track
from lm2viz.stats.noise import GateContrast, gate_contrast

MODEL = "babilong-qa1-5"  # the shipped model that was trained with background text
LENGTHS = ("0k", "1k", "2k", "4k")  # longer ones take more than a few seconds to read on two cores
TRACE_BUDGET = "60MB"  # of one recorded text; 4k take some 20 MB


@st.cache_resource
def _background() -> Background:
    """Python's reference pages, which the model was not trained on."""
    return Background(open_noise(split="test"), load_model(MODEL).tokenizer)


@st.cache_resource(max_entries=20)
def load_sample(task: str, length: str, seed: int) -> BabiLongSample:
    """The text of a task, a nominal length and a seed; UserError when the facts do not fit."""
    (sample,) = make_samples(
        generated_stories(task, seed), _background(), task=task, length=length, n=1, seed=seed
    )
    return sample


# No default argument: the cache is keyed by what was passed, and would keep the same result twice.
@st.cache_resource(max_entries=8, show_spinner=False)
def load_reading(task: str, length: str, seed: int, is_trained: bool) -> Trace:
    """What the memory of the model, or of the untrained control, does while the text is read."""
    sample = load_sample(task, length, seed)
    lm = load_model(MODEL) if is_trained else load_untrained(MODEL)
    with model_lock, counting_sentences(lm.model, sum(1 for _ in sample.pieces)):
        return record_sample(lm, sample, budget=TRACE_BUDGET)


@st.cache_resource(max_entries=20, show_spinner=False)
def load_contrast(task: str, length: str, seed: int, measure: str) -> GateContrast:
    """The input gate on facts and on background, in the model and in the control."""
    trained, control = (
        load_reading(task, length, seed, is_trained)
        for is_trained in track((True, False), "reading", "model")
    )
    return gate_contrast(trained, control, measure)


@st.cache_resource(max_entries=64, show_spinner=False)
def load_answer(task: str, length: str, seed: int, step: int) -> Answer:
    """The answer after ``step`` segments of the text; step 0 asks a fresh bank."""
    lm, trace = load_model(MODEL), load_reading(task, length, seed, True)
    with model_lock:
        return ask(lm, trace.info["question"], bank_after(trace, step, lm.model))


@st.cache_resource(max_entries=64)
def load_answer_of_facts(task: str, length: str, seed: int, n_facts: int) -> Answer | None:
    """The answer after the first ``n_facts`` facts without the background; None for no fact."""
    sample, lm = load_sample(task, length, seed), load_model(MODEL)
    if n_facts == 0:
        return None
    with model_lock:
        trace = read_story(lm, sample.facts[:n_facts], names=["hook_bank"])
        return ask(lm, sample.question, bank_after(trace, n_facts, lm.model))
