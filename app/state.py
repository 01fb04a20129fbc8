"""Keys of the session state and the functions that change it. A key bound to a widget is in the URL."""

from typing import Literal

import streamlit as st

STEP, BLOCK, SLOT, VIEW, QUESTION = "step", "block", "slot", "view", "question"
LARGE = "large"  # whether text is larger, for a projector
PASTED_STORY = "own"  # URL key of a pasted story; set in code, bound to no widget
PASTED_TEXT = "own_text"  # the text box it is pasted into; not in the URL
# A slider takes its first value from the link, not from the state. A story pasted before the page had a
# slider leaves the step that it wants here.
REQUESTED_STEP = "wanted_step"
# Kept when another page is opened: the model, its story, the step and the question.
PERSISTED_KEYS = ("model", "source", "example", "task", "seed", STEP, QUESTION, PASTED_STORY, LARGE)
PAGE = "shown_page"  # address of the page of the last run
URL: Literal["query-params"] = "query-params"  # widgets bound to this keep their value in the address

# Labels that links of earlier versions hold, by URL key, and what they are called now.
FORMER_LABELS = {
    "open": {"Take away": "Downloads"},
    "probes_view": {"Own labels": "Your labels"},
    "causal_view": {"Its parts": "Parts"},
    "compared_bank": {"The sentence before": "The previous sentence"},
}


def accept_former_labels() -> None:
    """Open what an old link means: a widget cannot take a former label from the URL, but from the state."""
    for key, renamed in FORMER_LABELS.items():
        if (value := st.query_params.get(key)) in renamed:
            st.session_state[key] = renamed[value]


def persist_choices(page: str) -> dict[str, str]:
    """Keep ``PERSISTED_KEYS``, which Streamlit drops with the page of their widgets; return them for links.

    Where a link has opened the page, its values count and not those that were kept. Before there are any
    widgets, their values are those of the URL.
    """
    is_opened = st.session_state.get(PAGE) != page
    st.session_state[PAGE] = page
    for key in PERSISTED_KEYS:
        if key not in st.session_state:
            continue
        if is_opened and key in st.query_params:
            del st.session_state[key]
        else:
            st.session_state[key] = st.session_state[key]
    chosen = {key: st.session_state.get(key, st.query_params.get(key)) for key in PERSISTED_KEYS}
    return {
        key: str(value).lower() if value is True else str(value) for key, value in chosen.items() if value
    }


def move_step(by: int, n_steps: int) -> None:
    """Move by ``by`` sentences, staying inside the story."""
    st.session_state[STEP] = min(max(st.session_state.get(STEP, n_steps) + by, 0), n_steps)


def apply_requested_step(n_steps: int) -> None:
    """Call before the slider: apply the step that a newly pasted story asked for."""
    if REQUESTED_STEP in st.session_state and STEP in st.session_state:
        st.session_state[STEP] = min(st.session_state.pop(REQUESTED_STEP), n_steps)


def clamp_state(key: str, low: int, high: int) -> None:
    """Clamp a number of the state to its range, e.g. after the story changed."""
    value = st.session_state.get(key)
    if isinstance(value, int) and not low <= value <= high:
        st.session_state[key] = min(max(value, low), high)


def choose_clicked(chart: str, *, column: str | None = None, row: str | None = None, offset: int = 0) -> None:
    """Store the clicked cell of a chart in the state: its column, its row, or both, plus ``offset``."""
    points = st.session_state[chart]["selection"]["points"]
    if not points:
        return
    if column is not None:
        st.session_state[column] = int(points[0]["x"]) + offset
    if row is not None:
        st.session_state[row] = int(points[0]["y"]) + offset
