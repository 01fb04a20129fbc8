"""Panel: where one is in the lessons, and from a lesson's result to the story in which it can be seen."""

import streamlit as st

from app.loaders.lessons import lesson
from app.state import QUESTION, SLOT, STEP, URL
from app.widgets.erase import EDITS
from app.widgets.pickers import GENERATED
from lm2viz.causal import to_json
from lm2viz.lessons import LESSONS, Lesson, Live
from lm2viz.lessons.lesson import MODEL, TASK

LESSON = "lesson"  # URL key of the title
ANSWERED = "answered_lessons"  # what was predicted, by title; kept while other pages are open
TITLES = [each.title for each in LESSONS]


def answered() -> dict[str, str]:
    """What this visitor has predicted, by title of the lesson."""
    predicted: dict[str, str] = st.session_state.setdefault(ANSWERED, {})
    return predicted


def pick_lesson() -> Lesson:
    """Choose a lesson in the sidebar; those that were answered say so."""
    marks = ["answered" if title in answered() else "" for title in TITLES]
    with st.sidebar:
        return lesson(st.radio("Lesson", TITLES, captions=marks, key=LESSON, bind=URL))


def draw_progress(shown: Lesson) -> None:
    """Which lesson this is, and how many were answered."""
    n = len(answered())
    at = TITLES.index(shown.title)
    st.progress(n / len(TITLES), text=f"Lesson {at + 1} of {len(TITLES)} · {n} answered")


def draw_turning(shown: Lesson) -> None:
    """To the lesson before and to the next."""
    at = TITLES.index(shown.title)
    back, _, forward = st.columns([2, 5, 2])
    _turn(back, "Previous lesson", TITLES[max(at - 1, 0)], is_there=at > 0)
    _turn(forward, "Next lesson", TITLES[min(at + 1, len(TITLES) - 1)], is_there=at < len(TITLES) - 1)


def _turn(place: st.delta_generator.DeltaGenerator, label: str, title: str, *, is_there: bool) -> None:
    place.button(
        label,
        key=f"turn_{label}",
        disabled=not is_there,
        on_click=st.session_state.__setitem__,
        args=(LESSON, title),
        width="stretch",
    )


def live_query(live: Live) -> dict[str, str]:
    """What the link to a story holds: the story, where to begin, and what is edited."""
    if live.story is None:
        return {}
    query = {
        "model": MODEL,
        "source": GENERATED,
        "task": TASK,
        "seed": str(live.story),
        STEP: str(live.step),
        QUESTION: live.question,
    }
    if live.slot is not None:
        query[SLOT] = str(live.slot)
    if live.edits:
        query[EDITS] = to_json(live.edits)
    return query


def draw_live(live: Live) -> None:
    """What to look at, and the link that shows it."""
    st.markdown(f"**See it live.** {live.text}")
    st.page_link(
        f"views/{live.page}.py",
        label="See it live",
        icon=":material/play_circle:",
        query_params=live_query(live),
    )
