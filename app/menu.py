"""The frame of every page: navigation and text size. Started by main.py."""

import sys
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from app.state import accept_former_labels, persist_choices
from app.warm_up import first_page_was_sent
from app.widgets.contrast import raise_contrast
from app.widgets.history import one_step_a_page
from app.widgets.text_size import pick_text_size

EMPTY_CHART = go.Figure(
    layout={"height": 10, "margin": {"t": 0, "b": 0}, "xaxis_visible": False, "yaxis_visible": False}
)


def load_dependencies() -> None:
    """Show a notice while the server loads; an empty chart lets the browser fetch its plotting code."""
    if "lm2core.model.causal_lm" in sys.modules:
        return
    place = st.empty()
    with place.container():
        st.info(
            "The server has just started and is loading its model. This happens once and takes a few seconds."
        )
        st.plotly_chart(EMPTY_CHART, key="nothing", config={"displayModeBar": False})
    import app.loaders.traces  # noqa: F401

    place.empty()


st.set_page_config(page_title="LM2 memory", page_icon=str(Path(__file__).parent / "icon.svg"), layout="wide")
# The pages by the question they answer: the name of each view, which is its address, its title and its icon.
MENU = {
    "Watch": [
        ("stage", "Stage", "play_circle"),
        ("story", "Story", "menu_book"),
        ("gated_update", "Gated update", "tune"),
        ("attention", "Attention", "visibility"),
    ],
    "What is stored?": [("slots", "Slots", "scatter_plot"), ("probes", "Probes", "query_stats")],
    "Does it matter?": [
        ("interventions", "Interventions", "science"),
        ("causal_map", "Causal map", "call_split"),
    ],
    "Learn": [("lessons", "Lessons", "school")],
    "More": [
        ("compare", "Compare", "compare_arrows"),
        ("noise", "Noise", "graphic_eq"),
        ("train", "Train", "model_training"),
        ("open", "Open", "folder_open"),
    ],
}
GROUPS = {
    question: [
        st.Page(
            f"views/{name}.py", title=title, icon=f":material/{icon}:", url_path=name, default=name == "stage"
        )
        for name, title, icon in views
    ]
    for question, views in MENU.items()
}
page = st.navigation(GROUPS, position="hidden")  # Streamlit's own menu drops the query, and so the story
accept_former_labels()
chosen = persist_choices(page.url_path)
with st.sidebar:
    for question, pages in GROUPS.items():
        st.caption(question)
        for each in pages:
            st.page_link(each, query_params=chosen)
    pick_text_size()
    raise_contrast()
    one_step_a_page()
if page.url_path:  # the first page has none, and draws what ships computed
    load_dependencies()
try:
    page.run()
finally:  # also of a page that stops early
    first_page_was_sent()
