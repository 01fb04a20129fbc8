"""The stage as a component of the page, without a frame of its own."""

from typing import Any

import streamlit as st

from app.state import QUESTION, SLOT, STEP
from lm2viz.stage.modules import style, with_imports
from lm2viz.stage.slot_probes import Json

KEY = "stage"
_draw = st.components.v2.component(
    "lm2_stage",
    html='<div class="stage-root" style="--stage-around:20em"></div>',
    css=style(),
    js=with_imports("component"),
)


def draw_stage(identity: str, payload: Json, engine: Json | None, *, start: dict[str, Any]) -> None:
    """Draw a payload; where the reader goes in it becomes the state of the page.

    identity : the stage starts anew when it changes, and stays as it is otherwise
    start : step, question and slot to begin with; see ``mount`` in stage.js
    """
    texts = [question["text"] for question in payload["questions"]]
    theme = st.context.theme.type or "auto"
    _draw(
        key=KEY,
        # In a list: Streamlit searches a dict for tables, and imports pandas for that.
        data=[
            {
                "story": identity,
                "payload": payload,
                "engine": engine,
                "theme": theme,
                "start": start,
            }
        ],
        on_place_change=lambda: _keep_place(texts),
    )


def _keep_place(texts: list[str]) -> None:
    """Step, question and slot of the stage go into the state, and from there into every link."""
    place = st.session_state[KEY].get("place") or {}
    st.session_state[STEP] = int(place["step"])
    st.session_state[QUESTION] = texts[place["question"]]
    if place["slot"] is not None:
        st.session_state[SLOT] = int(place["slot"])
    for name in (STEP, QUESTION):
        st.query_params[name] = str(st.session_state[name])
