"""Keys of the page's state, and the moves that change it. What has a key here is in the URL."""

from typing import Literal

import streamlit as st

STEP, BLOCK, SLOT, VIEW, QUESTION = "step", "block", "slot", "view", "question"
LARGE = "large"  # whether text is larger, for a projector
PASTED_STORY = "own"  # URL key of a pasted story; written by hand, bound to no widget
PASTED_TEXT = "own_text"  # the text box it is pasted into; not in the URL
# A slider that comes to the page takes its value from the link, whatever the state says: a story pasted
# before there was one leaves the step it wants here.
REQUESTED_STEP = "wanted_step"
# What stays when another page is opened: which model reads which story, up to where, and is asked what.
PERSISTED_KEYS = ("model", "source", "example", "task", "seed", STEP, QUESTION, PASTED_STORY, LARGE)
URL: Literal["query-params"] = "query-params"  # widgets bound to this keep their value in the address


def persist_choices() -> dict[str, str]:
    """Hold on to ``KEPT``, which Streamlit forgets with the page that had its widgets; returned for links.

    Before there are any widgets, they are what the address says.
    """
    for key in PERSISTED_KEYS:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]
    chosen = {key: st.session_state.get(key, st.query_params.get(key)) for key in PERSISTED_KEYS}
    return {
        key: str(value).lower() if value is True else str(value) for key, value in chosen.items() if value
    }


def move_step(by: int, n_steps: int) -> None:
    """Go ``by`` sentences on, staying inside the story."""
    st.session_state[STEP] = min(max(st.session_state.get(STEP, n_steps) + by, 0), n_steps)


def apply_requested_step(n_steps: int) -> None:
    """Before the slider: take over the step a newly pasted story asked for, once there is one to move."""
    if REQUESTED_STEP in st.session_state and STEP in st.session_state:
        st.session_state[STEP] = min(st.session_state.pop(REQUESTED_STEP), n_steps)


def clamp_state(key: str, low: int, high: int) -> None:
    """Bring a number of the state back into its range, e.g. after a change of story."""
    value = st.session_state.get(key)
    if isinstance(value, int) and not low <= value <= high:
        st.session_state[key] = min(max(value, low), high)


def choose_clicked(chart: str, *, column: str | None = None, row: str | None = None, offset: int = 0) -> None:
    """Put the clicked cell of a chart into the state: its column, its row, or both, plus ``offset``."""
    points = st.session_state[chart]["selection"]["points"]
    if not points:
        return
    if column is not None:
        st.session_state[column] = int(points[0]["x"]) + offset
    if row is not None:
        st.session_state[row] = int(points[0]["y"]) + offset
