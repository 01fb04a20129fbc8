"""View: which slot holds which fact, found by probes and shown with their controls. Draws only."""

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import probes
from app.loaders.sample import load_both
from app.panels.probes import (
    AGE,
    BANK,
    BEST,
    FACT,
    MATRIX,
    ONE,
    SLOT,
    USER_LABELS,
    VIEW,
    ProbeTarget,
    draw_age,
    draw_matrix,
    draw_one,
    open_clicked,
)
from app.panels.probes_labels import draw_user_labels
from app.panels.probes_use import draw_use
from app.panels.reproduce import draw_reproduce, of_probes
from app.state import URL
from app.widgets.erase import erase_button, question_about
from app.widgets.pickers import as_text, container_key, pick_sample
from app.widgets.verdict import draw_verdict, verdict_place
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2viz.probes.by_fact import as_slot
from lm2viz.probes.samples import Slot
from lm2viz.sample.rows import BankRows
from lm2viz.sample.story_sample import StorySample


def main() -> None:
    """The page, from top to bottom."""
    st.title("Which slot holds which fact?")
    place = verdict_place()
    st.markdown(
        "The model reads many stories, and after every sentence we know what is true: where Mary is, who "
        "holds the milk. A **probe**, a small linear classifier, learns on some stories to decode one fact "
        "from one slot, and is scored on the others. A score means something only beside its **controls**."
    )
    with st.sidebar:
        model, sample = pick_sample(probes.SIZES, probes.SIZES[0])
    try:
        rows, _ = wait_for(
            f"Reading {len(sample.stories)} stories with this model and an untrained one",
            load_both,
            model,
            sample,
        )
        view = st.segmented_control(
            "View", [MATRIX, AGE, ONE, USER_LABELS], default=MATRIX, required=True, key=VIEW, bind=URL
        )
        if view == USER_LABELS:
            draw_user_labels(place, model, sample)
        else:
            draw_facts(place, view, model, sample, rows)
    except UserError as error:
        st.error(as_text(error))


def draw_facts(place: DeltaGenerator, view: str, model: str, sample: StorySample, rows: BankRows) -> None:
    """One of the views of the facts that the stories state."""
    facts = list(rows.facts.columns)
    if not facts:
        st.info(f"Stories of {sample.source} state no facts. Choose another task, or use **Your labels**.")
        st.stop()
    n_slots = rows.banks.shape[1]
    fact, slot = pick_fact_and_slot(facts, n_slots, view)
    probe_target = ProbeTarget(model, sample, fact, slot)
    if view == AGE:
        draw_age(place, probe_target, len(facts))
    elif view == ONE:
        draw_one(place, probe_target)
    else:
        result = wait_for("Probing", probes.load_facts, model, sample, tuple(facts))
        best = result.best_fact()
        draw_verdict(place, result.verdict())
        draw_use(place, model, sample, tuple(facts))
        erase_button(model, result.slot_of(best), question_about(best), task=str(sample.source))
        draw_matrix(result, key="matrix", on_click=partial(open_clicked, "matrix", tuple(facts), n_slots))
        draw_reproduce(of_probes(model, sample))


def pick_fact_and_slot(facts: list[str], n_slots: int, view: str) -> tuple[str, Slot]:
    """Choose a fact and a slot. Where they do not act, they are out of sight; values stay in the link."""
    if st.session_state.get(FACT, facts[0]) not in facts:
        del st.session_state[FACT]  # of another task
    left, right = st.columns(2)
    acts = view != MATRIX
    fact = left.container(key=container_key(acts, FACT)).selectbox(
        "Fact", facts, key=FACT, bind=URL, disabled=not acts
    )
    slots = [BEST, BANK, *map(str, range(n_slots))]
    chosen = right.container(key=container_key(acts, SLOT)).selectbox(
        "Slot",
        slots,
        key=SLOT,
        bind=URL,
        disabled=not acts,
        help="best: chosen on the training stories; bank: all slots together.",
    )
    return fact, as_slot(chosen)


main()
