"""Text size: a switch for rooms with a projector, and charts that follow it."""

import plotly.graph_objects as go
import streamlit as st

from app.state import LARGE, URL

LARGER = 1.2  # factor
# Streamlit lets a row of choices scroll, and shows no bar: what lies beyond the edge is not found.
WRAPPED = (
    "<style>[data-testid=stButtonGroup] [role=radiogroup]"
    "{flex-wrap:wrap!important;overflow:visible!important;row-gap:.25rem}</style>"
)
CHART_TEXT, CHART_HEIGHT = 12, 450  # pixels, where a chart sets none


def pick_text_size() -> None:
    """The switch; the text of the page follows at once, and rows of choices take another line."""
    st.html(WRAPPED)
    if st.toggle("Larger text", key=LARGE, bind=URL):
        st.html(f"<style>:root {{font-size: {LARGER:.0%}}}</style>")


def in_chosen_size(figure: go.Figure) -> go.Figure:
    """The figure, or a copy with larger text and more height: the figure itself may be cached."""
    if not st.session_state.get(LARGE):
        return figure
    margin = {side: figure.layout.margin[side] for side in "lrtb"}
    return go.Figure(figure).update_layout(
        font_size=CHART_TEXT * LARGER,
        height=(figure.layout.height or CHART_HEIGHT) * LARGER,
        margin={side: size * LARGER for side, size in margin.items() if size is not None},
    )
