"""The frame of every page: navigation and text size. Started by main.py."""

import sys
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from app.state import accept_former_labels, persist_choices
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
    import app.widgets.pickers  # noqa: F401

    place.empty()


st.set_page_config(page_title="LM2 memory", page_icon=str(Path(__file__).parent / "icon.svg"), layout="wide")
PAGES = [
    st.Page("views/story.py", title="Story", icon=":material/menu_book:", url_path="story", default=True),
    st.Page("views/gated_update.py", title="Gated update", icon=":material/tune:", url_path="gated_update"),
    st.Page("views/slots.py", title="Slots", icon=":material/scatter_plot:", url_path="slots"),
    st.Page("views/probes.py", title="Probes", icon=":material/query_stats:", url_path="probes"),
    st.Page("views/attention.py", title="Attention", icon=":material/visibility:", url_path="attention"),
    st.Page(
        "views/interventions.py", title="Interventions", icon=":material/science:", url_path="interventions"
    ),
    st.Page("views/causal_map.py", title="Causal map", icon=":material/call_split:", url_path="causal_map"),
    st.Page("views/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    st.Page("views/noise.py", title="Noise", icon=":material/graphic_eq:", url_path="noise"),
    st.Page("views/train.py", title="Train", icon=":material/model_training:", url_path="train"),
    st.Page("views/lessons.py", title="Lessons", icon=":material/school:", url_path="lessons"),
    st.Page("views/open.py", title="Open", icon=":material/folder_open:", url_path="open"),
]
page = st.navigation(PAGES, position="hidden")  # Streamlit's own menu drops the query, and so the story
accept_former_labels()
chosen = persist_choices()
with st.sidebar:
    for each in PAGES:
        st.page_link(each, query_params=chosen)
    pick_text_size()
load_dependencies()
page.run()
