"""Downloads: the trace, a report, a table, and the Python that makes the picture."""

from functools import partial

import streamlit as st

from app.loaders import opened
from app.panels.python_code import view_code
from app.state import BLOCK, SLOT, VIEW
from lm2core.traces.trace import Trace


def draw_downloads(trace: Trace) -> None:
    """Files of the trace of one story. Each is made when its button is pressed."""
    st.subheader("Downloads")
    for label, icon, make, name in (
        ("Download trace (opens here)", "data_object", opened.trace_file, "trace.safetensors"),
        ("Download report (opens offline)", "description", opened.report_file, "report.html"),
        ("Download table of write strengths", "table", opened.table_file, "writes.csv"),
    ):
        st.download_button(
            label,
            partial(make, trace),
            name,
            key=f"download_{icon}",
            icon=f":material/{icon}:",
            on_click="ignore",
            width="stretch",
        )


def draw_code(source: str, step: int, question: str | None) -> None:
    """The Python of the view. Call it below the memory panel, which sets what is shown.

    source : Python that makes or opens the trace
    """
    state = st.session_state
    st.subheader("Python that makes this picture")
    code = view_code(
        source, view=state[VIEW], step=step, block=state[BLOCK], slot=state[SLOT], question=question
    )
    st.code(code)
    st.caption(
        "Runs wherever this project is installed; with a checkpoint of your own, in the folder it was opened "
        "from. Writes the picture to view.html."
    )
