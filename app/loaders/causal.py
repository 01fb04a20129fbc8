"""Counterfactual pairs, measurements between their sides, and answers attributed to parts and slots."""

import streamlit as st

from app.loaders.models import known_tasks, workbench
from lm2core.babi.counterfactual import KINDS_OF, Counterfactual, draw_counterfactuals, sentences_of
from lm2viz.causal import (
    Attribution,
    CausalMap,
    CausalParts,
    Saliencies,
    attribute_answers,
    causal_map,
    causal_parts,
    slot_gradients,
)
from lm2viz.sample.story_sample import StorySample

PLACEBO = "placebo"
N_PAIRS = (1, 10, 30, 60)
N_STORIES = (20, 50)
MIN_PLACEBOS = 5  # one pair is compared with more than one placebo


def tasks_with_pairs(model: str) -> list[str]:
    """Tasks whose words the model knows and whose stories can be edited."""
    return [task for task in known_tasks(model) if task in KINDS_OF]


def kinds_of(task: str) -> list[str]:
    """Kinds of edits that change an answer."""
    return [kind for kind in KINDS_OF[task] if kind != PLACEBO]


@st.cache_data(max_entries=32, show_spinner=False)
def load_pairs(task: str, kind: str, n: int, seed: int) -> list[Counterfactual]:
    """``n`` pairs, the first of which are the same for every ``n``; UserError where there are too few."""
    return draw_counterfactuals(task, kind, n, seed, n_sentences=sentences_of(task))


def _pairs_and_placebos(
    task: str, kind: str, n: int, seed: int
) -> tuple[list[Counterfactual], list[Counterfactual]]:
    return load_pairs(task, kind, n, seed), load_pairs(task, PLACEBO, max(n, MIN_PLACEBOS), seed)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_map(model: str, task: str, kind: str, n: int, seed: int) -> CausalMap:
    """Which slot carries the change, after which sentence. Takes seconds to minutes."""
    pairs, placebos = _pairs_and_placebos(task, kind, n, seed)
    lm, lock = workbench(model)
    with lock:
        return causal_map(lm, pairs, placebos, seed=seed)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_parts(model: str, task: str, kind: str, n: int, seed: int) -> CausalParts:
    """Which part of the changed sentence's write carries it. Takes longer than the map."""
    pairs, placebos = _pairs_and_placebos(task, kind, n, seed)
    lm, lock = workbench(model)
    with lock:
        return causal_parts(lm, pairs, placebos, seed=seed)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_attribution(model: str, sample: StorySample) -> Attribution:
    """What blocks and slots add to the answers to generated stories."""
    lm, lock = workbench(model)
    with lock:
        return attribute_answers(lm, sample.stories, seed=sample.seed)


@st.cache_resource(max_entries=32, show_spinner=False)
def load_gradients(model: str, sample: StorySample) -> Saliencies:
    """What gradients attribute to slots in the answers to generated stories."""
    lm, lock = workbench(model)
    with lock:
        return slot_gradients(lm, sample.stories, seed=sample.seed)
