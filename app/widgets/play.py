"""Play: step through the story automatically, until its end or until it is paused.

Not in the link: a link shows one step.
"""

from collections.abc import Hashable

import streamlit as st

from app.state import REQUESTED_STEP, STEP

SECONDS = 1.2  # per sentence
PLAYING = "playing"  # the story that plays; another story on the page does not move
IS_DRAWN = "play_is_drawn"  # the page has just been drawn: the first tick does not move the story


def is_playing(story: Hashable, n_steps: int) -> bool:
    """Whether ``story`` plays and is not at its end."""
    return bool(st.session_state.get(PLAYING) == story and st.session_state.get(STEP, n_steps) < n_steps)


def play_button(story: Hashable, n_steps: int) -> None:
    """Starts and pauses; at the end of the story it starts again from the beginning."""
    plays = is_playing(story, n_steps)
    st.button(
        "Pause" if plays else "Play",
        icon=":material/pause:" if plays else ":material/play_arrow:",
        shortcut="P",  # and no help, which draws the button twice: both would take the key
        key="play",
        on_click=_toggle,
        args=(story, n_steps),
    )


def _toggle(story: Hashable, n_steps: int) -> None:
    if st.session_state.pop(PLAYING, None) == story:
        return
    st.session_state[PLAYING] = story
    if st.session_state.get(STEP, n_steps) >= n_steps:
        st.session_state[STEP] = 0


def keep_playing(story: Hashable, n_steps: int) -> None:
    """Call last on the page: while ``story`` plays, redraw the page one sentence further."""
    if not is_playing(story, n_steps):
        st.session_state.pop(PLAYING, None)  # going back from the end must not start it again
    else:
        st.session_state[IS_DRAWN] = True
        st.fragment(_tick, run_every=SECONDS)(story, n_steps)


def _tick(story: Hashable, n_steps: int) -> None:
    """Runs with the page and then, alone, every ``SECONDS``."""
    if st.session_state.pop(IS_DRAWN, False):
        return
    if is_playing(story, n_steps):
        st.session_state[REQUESTED_STEP] = st.session_state[STEP] + 1
        st.rerun()
