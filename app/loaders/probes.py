"""Probes of many generated stories, measured once for all users: fact by fact, slot by slot."""

import streamlit as st

from app.loaders.models import workbench
from app.loaders.sample import load_both
from lm2viz.causal import SlotUse, slot_use
from lm2viz.probes import CodeLength, Decay, LearningCurve, SlotFacts, codelength, decay, learning_curve
from lm2viz.probes.by_fact import probe_fact, probe_slot, side_by_side
from lm2viz.probes.samples import Slot
from lm2viz.probes.scores import Scores
from lm2viz.progress import track
from lm2viz.sample.story_sample import StorySample

SIZES = (100, 200, 300)  # stories


@st.cache_resource(max_entries=100, show_spinner=False)
def load_fact(model: str, sample: StorySample, fact: str) -> SlotFacts | None:
    """Probes of every slot for one fact, with all controls; None where it cannot be probed."""
    return probe_fact(*load_both(model, sample), fact)


def load_facts(model: str, sample: StorySample, facts: tuple[str, ...]) -> SlotFacts:
    """Probes of every slot for each of the facts; UserError when none can be probed."""
    return side_by_side(
        {fact: load_fact(model, sample, fact) for fact in track(facts, "probing facts", "fact")}
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def load_use(model: str, sample: StorySample, facts: tuple[str, ...]) -> SlotUse:
    """Whether the answers use what slots hold, beside the probes; UserError where nothing can be asked."""
    lm, lock = workbench(model)
    with lock:
        return slot_use(lm, load_facts(model, sample, facts), sample.stories, seed=sample.seed)


@st.cache_resource(max_entries=50, show_spinner=False)
def load_scores(model: str, sample: StorySample, fact: str, slot: Slot) -> Scores:
    """The probe of one slot, or of the whole bank, for one fact; UserError where it cannot be probed."""
    if slot == "best":
        result = load_fact(model, sample, fact)
        if result is not None:
            return result.best[fact]
    return probe_slot(*load_both(model, sample), fact, slot)


@st.cache_resource(max_entries=50, show_spinner=False)
def load_decay(model: str, sample: StorySample, fact: str | None, slot: Slot) -> Decay:
    """Accuracy by age of one fact, or of all together; UserError where it cannot be probed."""
    rows, untrained = load_both(model, sample)
    return decay(rows, facts=fact and [fact], untrained=untrained, slot=slot)


@st.cache_resource(max_entries=50, show_spinner=False)
def load_codelength(model: str, sample: StorySample, fact: str, slot: Slot) -> CodeLength:
    """Bits that a fact takes, given the slot; UserError where it cannot be probed."""
    rows, untrained = load_both(model, sample)
    return codelength(rows, fact, untrained=untrained, slot=slot)


@st.cache_resource(max_entries=50, show_spinner=False)
def load_learning(model: str, sample: StorySample, fact: str, slot: Slot) -> LearningCurve:
    """Accuracy by number of training stories; UserError where it cannot be probed."""
    rows, untrained = load_both(model, sample)
    return learning_curve(rows, fact, untrained=untrained, slot=slot)
