"""View: edit the memory, or exchange slots between stories, and see whether answers follow. Draws only."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.panels.interventions_effects import draw_sample_effect, draw_story_effect, pick_effect_sample
from app.panels.interventions_interchange import draw_interchange
from app.panels.interventions_list import pick_edits
from app.state import URL
from app.widgets.pickers import choose_story
from app.widgets.verdict import verdict_place

EDITS, INTERCHANGE = "Edits", "Interchange"


def main() -> None:
    """The page, from top to bottom."""
    st.title("Does the answer need this slot?")
    place = verdict_place()
    views = [EDITS, INTERCHANGE]
    view = st.segmented_control("View", views, default=EDITS, required=True, key="edits_view", bind=URL)
    if view == INTERCHANGE:
        draw_interchange(place)
    else:
        draw_edits(place)


def draw_edits(place: DeltaGenerator) -> None:
    """Edits of the memory while a story is read, on this story and on many."""
    st.markdown(
        "A fact that can be decoded from a slot need not be used. So **edit** the memory while a story is "
        "read: empty a slot, freeze it, hold a gate. If the answers change, and do not change when **other** "
        "slots are edited the same way, the model uses what the slot holds."
    )
    model, story, trace = choose_story()
    effect_sample = pick_effect_sample(model)
    edits = pick_edits(model, story, trace)
    draw_story_effect(place, model, story, edits, effect_sample)
    draw_sample_effect(place, model, edits, effect_sample)


main()
