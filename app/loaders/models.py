"""The models that the app offers, loaded once, and the untrained control of each."""

from copy import deepcopy
from dataclasses import replace
from threading import Lock

import streamlit as st

from app.loaders import folders
from lm2core.babi.vocabulary import WORDS
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load, memories_at_hand, shipped_models
from lm2core.reading.loaded_model import LoadedModel, untrained

model_lock = Lock()
UNTRAINED_SEED = 0
ENGLISH_KIND = "one-fact"  # of lm2core.english.kinds


def model_names() -> list[str]:
    """Models the app offers: the shipped ones that can be opened here, and folders that this user opened."""
    return shipped_models() + memories_at_hand() + folders.opened_folders()


def missing_memories() -> list[str]:
    """Shipped memories that cannot be opened, because their Llama is not on this machine."""
    return sorted(set(shipped_models(memories=True)) - set(shipped_models()) - set(memories_at_hand()))


def open_linked(name: str) -> bool:
    """Open for this user the folder that a link names; False where it is missing or has changed."""
    is_there = folders.is_folder_name(name) and folders.is_there(name)
    if is_there:
        folders.add_folder(name)
    return is_there


@st.cache_resource(max_entries=6, show_spinner=False)  # as many as ship, and a few opened ones
def load_model(name: str) -> LoadedModel:
    """The model ``name``; UserError when it cannot be loaded."""
    return folders.load_folder(name) if folders.is_folder_name(name) else load(name)


def comparable_names() -> list[str]:
    """Models that can be asked: those of ``model_names`` and the baselines that ship."""
    return shipped_models(baselines=True) + memories_at_hand() + folders.opened_folders()


@st.cache_resource(max_entries=8, show_spinner=False)
def load_asked(name: str) -> LoadedModel:
    """As ``load_model``; also a shipped baseline, which can be asked but has no bank."""
    is_baseline = name in set(shipped_models(baselines=True)) - set(shipped_models())
    return load(name, baselines=True) if is_baseline else load_model(name)


@st.cache_resource(max_entries=2)
def load_untrained(model: str) -> LoadedModel:
    """A new model of the sizes of ``model``, with its tokenizer."""
    with model_lock:
        return untrained(load_model(model), UNTRAINED_SEED)


@st.cache_resource(max_entries=2)
def workbench(model: str) -> tuple[LoadedModel, Lock]:
    """A copy of the model with its own lock: a long run must not hold up the pages of others."""
    with model_lock:
        lm = load_model(model)
        return replace(lm, model=deepcopy(lm.model)), Lock()


def describe(name: str) -> str:
    """Blocks, width and slots of a model, in words."""
    config = load_model(name).model.config
    return f"{config.num_hidden_layers} blocks, width {config.hidden_size}, {config.memory_slots} slots"


def is_beside_llama(model: str) -> bool:
    """Whether the model is a memory that was trained beside a Llama."""
    return load_model(model).is_beside_llama


def knows_words(model: str, text: str) -> bool:
    """Whether the model knows every word of a text."""
    from lm2core.text.tokenizer import check_words  # transformers, which the first page does without

    try:
        check_words(load_model(model).tokenizer, [text])
    except UserError:
        return False
    return True


def known_tasks(model: str) -> list[str]:
    """Tasks of which the model knows every word; for a memory beside a Llama, the kind it was trained on."""
    lm = load_model(model)
    if lm.is_beside_llama:
        return [ENGLISH_KIND]
    known = set(lm.tokenizer.get_vocab())
    return [task for task, words in WORDS.items() if words <= known]
