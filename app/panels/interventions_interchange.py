"""Interchange: slots of another story put in. Does the fact go with them, and does all else stay?"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import interchange
from app.panels.interventions_effects import pick_effect_sample
from app.panels.reproduce import draw_reproduce, of_interchange
from app.state import URL
from app.widgets.measure_button import measure_button
from app.widgets.measured import draw_finding, wait_for_finding
from app.widgets.pickers import pick_model, refuse_beside_llama
from lm2viz.causal.interchange_pairs import N_DONORS

FACT, SLOTS, DONORS = "interchange_fact", "interchange_slots", "interchange_donors"
HINT = (
    "Press **Measure**: two stories are read, the slots of one are put into the other, and the answers are "
    "compared with what they must become. It takes about ten seconds for 100 stories."
)


def draw_interchange(place: DeltaGenerator) -> None:
    """Choose model, task, fact, slots and pairs; the finding, its figure, and every number folded below."""
    with st.sidebar:
        model = pick_model()
    refuse_beside_llama(model)
    sample = pick_effect_sample(model, sizes=interchange.N_STORIES)
    st.markdown(
        "Take a slot from **another story** and put it in. If the answer about the fact becomes what the "
        "other story says of it, and the answers about everything else stay, the slot carries the fact. An "
        "empty or a frozen slot shows only that something is missing."
    )
    facts = interchange.facts_of(str(sample.source), sample.seed)
    if not facts:
        st.info(f"No question asks for a fact of {sample.source}'s stories. Choose another task.")
        return
    first, second, third = st.columns([2, 2, 1], gap="medium")
    fact = first.selectbox("Fact", facts, key=FACT, bind=URL)
    slots = second.multiselect(
        "Slots",
        list(range(interchange.n_slots(model))),
        placeholder="the best one, chosen on other stories",
        key=SLOTS,
        bind=URL,
    )
    n_donors = third.number_input(
        "Pairs for each story", 1, 20, N_DONORS, key=DONORS, bind=URL, help="Each with a story of its own."
    )
    measured = (model, sample, fact, tuple(sorted(slots)), int(n_donors))
    if not measure_button(*measured, key="interchange_button", hint=HINT):
        return
    result = wait_for_finding(
        place, "Putting slots of other stories in", interchange.load_interchange, *measured
    )
    if result is None:
        return
    draw_finding(
        result,
        key="interchange",
        caption="Interchange: share of answers about the fact that become what they must. Isolation: share "
        "of the answers about everything else that stay. Product: both at once. Follow: things that must go "
        "with the fact. Blue: these slots; ochre: controls. Lines are 95 % intervals over stories.",
    )
    draw_reproduce(of_interchange(model, sample, fact, result.slots if slots else (), int(n_donors)))
