"""View: LM2, RMT and plain Llamas over lengths or on one story; two models slot by slot."""

import streamlit as st

from app.panels.compare_architectures import draw_architectures
from app.panels.compare_slots import draw_two_models
from app.panels.compare_story import draw_one_story
from app.state import URL

VIEW = "compare_view"
ARCHITECTURES, ONE_STORY, TWO_MODELS = "Architectures", "One story", "Two models"


def main() -> None:
    """The page, from top to bottom."""
    views = [ARCHITECTURES, ONE_STORY, TWO_MODELS]
    view = st.segmented_control("View", views, default=views[0], required=True, key=VIEW, bind=URL)
    if view == TWO_MODELS:
        draw_two_models()
    elif view == ONE_STORY:
        draw_one_story()
    else:
        draw_architectures()


main()
