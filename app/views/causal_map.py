"""View: a story, its minimal edit, and the slot that carries the change between them. Draws only."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import causal
from app.panels.causal_map_pair import PairChoice, draw_pair
from app.panels.causal_map_results import (
    ATTRIBUTION,
    GRADIENTS,
    MAP,
    PARTS,
    draw_attribution,
    draw_gradients,
    draw_map,
    draw_parts,
    pick_how_many,
)
from app.state import URL
from app.widgets.measure_button import measure_button
from app.widgets.pickers import as_text, pick_model
from app.widgets.verdict import draw_verdict, verdict_place
from app.widgets.waiting import wait_for
from lm2core.babi.counterfactual import KINDS
from lm2core.errors import UserError

KIND, SEED, VIEW = "pair_kind", "pair_seed", "causal_view"
FIRST_SEED = 16  # its pairs of task 1 change a sentence in the middle, whatever the kind
NOT_YET = (
    "Not measured yet: Measure shows how much of the change one slot carries. One pair or an attribution "
    "takes seconds; parts or many pairs take minutes."
)
DRAWN = {MAP: draw_map, PARTS: draw_parts, ATTRIBUTION: draw_attribution, GRADIENTS: draw_gradients}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Which slot carries the change?")
    place = verdict_place()
    st.markdown(
        "Change a story just enough to change the answer to one question. Then copy **one slot** from one "
        "side to the other: if the answer follows, that slot carries the change. **Placebos**, edits that "
        "leave the answer as it is, show how much moves without a cause."
    )
    try:
        with st.sidebar:
            pair_choice = pick_pair()
        (pair,) = wait_for(
            "Drawing a pair of stories",
            causal.load_pairs,
            pair_choice.task,
            pair_choice.kind,
            1,
            pair_choice.seed,
        )
        draw_pair(pair_choice, pair)
        draw_measured(place, pair_choice)
    except UserError as error:
        st.error(as_text(error))


def pick_pair() -> PairChoice:
    """Choose the model, the task, what is edited, and which of the pairs."""
    model = pick_model()
    tasks = causal.tasks_with_pairs(model)
    if not tasks:
        st.info("This model lacks words of every task whose stories can be edited. Choose another model.")
        st.stop()
    task = st.selectbox("Task", tasks, key="task", bind=URL)
    kind = st.selectbox("Edit", causal.kinds_of(task), key=KIND, bind=URL)
    st.caption(f"{kind.capitalize()}: {KINDS[kind]}.")
    seed = st.number_input(
        "Seed of the pair",
        0,
        10_000,
        FIRST_SEED,
        key=SEED,
        help="The same seed always gives the same pair.",
        bind=URL,
    )
    return PairChoice(model, task, kind, int(seed))


def draw_measured(place: DeltaGenerator, pair_choice: PairChoice) -> None:
    """The chosen measurement: only what is shown is run, and only on request."""
    st.subheader("Measurement")
    left, right = st.columns(2, gap="large")
    with left:
        view = st.segmented_control("View", list(DRAWN), default=MAP, required=True, key=VIEW, bind=URL)
    with right:
        n = pick_how_many(view)
    hint = (
        "Press **Measure**. One pair or an attribution takes seconds; parts or many pairs take minutes. "
        "Results are cached."
    )
    if measure_button(*pair_choice, view, n, key="causal_button", hint=hint):
        draw_verdict(place, DRAWN[view](pair_choice, n))
    else:
        draw_verdict(place, NOT_YET)


main()
