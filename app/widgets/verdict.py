"""The finding of a page in one sentence, on top of the page and before its evidence."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.widgets.pickers import as_text


def verdict_place() -> DeltaGenerator:
    """Call right under the title: the place that the verdict takes once it is computed."""
    return st.empty()


def draw_verdict(place: DeltaGenerator, text: str, *, hint: str = "") -> None:
    """Put a sentence into its place; ``hint`` says, in Markdown, what is not measured yet."""
    with place.container(border=True):
        st.markdown(f"**{as_text(text)}**")
        if hint:
            st.caption(hint)
