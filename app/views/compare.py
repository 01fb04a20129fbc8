"""View: LM2, RMT and plain Llamas over lengths or on one story; two models slot by slot."""

import streamlit as st

from app.panels.compare_architectures import draw_architectures
from app.panels.compare_slots import draw_two_models
from app.panels.compare_story import draw_one_story
from app.state import URL
from app.widgets.verdict import verdict_place

VIEW = "compare_view"
# Of each view: the question that it answers, and what draws it under the place of its verdict.
VIEWS = {
    "Architectures": ("Does a memory help?", draw_architectures),
    "One story": ("Which model still knows?", draw_one_story),
    "Two models": ("Do two models use their slots alike?", draw_two_models),
}


def main() -> None:
    """The page, from top to bottom."""
    head = st.container()  # the title and the verdict, above the picker that they depend on
    names = list(VIEWS)
    view = st.segmented_control("View", names, default=names[0], required=True, key=VIEW, bind=URL)
    title, draw = VIEWS[view]
    with head:
        st.title(title)
        place = verdict_place()
    draw(place)


main()
