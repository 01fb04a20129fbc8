"""View: what slots hold over many stories, as a map and in words. Draws; computes nothing."""

import streamlit as st

from app.loaders import slots
from app.panels.slots_detail import draw_contexts, draw_explanations
from app.panels.slots_map import draw_map, draw_story, pick_map, suggest_slot
from app.state import SLOT, URL, clamp_state
from app.widgets.erase import erase_button, question_about
from app.widgets.pickers import as_text, pick_sample
from app.widgets.verdict import verdict_place
from lm2core.errors import UserError
from lm2viz.sample.story_sample import StorySample

MAP, CONTEXTS, EXPLAINED = "Map", "Words and questions", "Explanation"


def main() -> None:
    """The page, from top to bottom."""
    st.title("What do the slots hold?")
    place = verdict_place()
    st.markdown(
        "A slot is a row of numbers, and means something only if it means the same in story after story. "
        "**Map** what a slot holds after every sentence of many stories, see which **words** write to it and "
        "which **questions** read it, and test an **explanation** of what it holds."
    )
    try:
        with st.sidebar:
            model, sample = pick_sample(slots.SIZES, slots.SIZES[1])
            chosen = pick_map(model, sample)
            slot = pick_slot(model, sample)
        view = st.segmented_control(
            "View",
            [MAP, CONTEXTS, EXPLAINED],
            default=MAP,
            required=True,
            key="slots_view",
            bind=URL,
        )
        if view == CONTEXTS:
            draw_contexts(place, model, sample, slot)
        elif view == EXPLAINED:
            draw_explanations(place, model, sample, slot)
        else:
            result = draw_map(place, model, sample, chosen)
            draw_story(model, sample, result, slot)
        erase_button(model, slot, question_about(chosen.fact), task=str(sample.source))
    except UserError as error:
        st.error(as_text(error))


def pick_slot(model: str, sample: StorySample) -> int:
    """Choose the slot to look at closely."""
    last = slots.n_slots(model) - 1
    clamp_state(SLOT, 0, last)
    suggested = suggest_slot(model, sample)
    return st.number_input(
        "Slot",
        0,
        last,
        suggested[0] if suggested else 0,
        key=SLOT,
        bind=URL,
        help="The slot whose path, words and explanation are shown.",
    )


main()
