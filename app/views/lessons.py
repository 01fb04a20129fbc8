"""View: short lessons, each a prediction and then the measurement. Draws; computes nothing."""

import streamlit as st

from app.loaders.lessons import lesson, load_measured
from app.state import URL
from app.widgets.pickers import draw
from app.widgets.waiting import wait_for
from lm2viz.lessons import LESSONS, Lesson, Measured

LESSON = "lesson"


def main() -> None:
    """The page, from top to bottom."""
    st.title("Predict, then measure")
    with st.sidebar:
        chosen = st.radio("Lesson", [each.title for each in LESSONS], key=LESSON, bind=URL)
    shown = lesson(chosen)
    st.subheader(shown.title)
    st.markdown(shown.text)
    predicted = draw_choices(shown)
    if not predicted:
        st.info("Choose an answer first. You learn more from a result that you tried to predict.")
        st.stop()
    draw_result(shown, predicted, wait_for("Measuring", load_measured, shown.title))


def draw_choices(shown: Lesson) -> str | None:
    """The choices; returns the one chosen, or None."""
    texts = [choice.text for choice in shown.choices]
    return st.radio(f"**{shown.question}**", texts, index=None, key=f"predicted_{shown.title}")


def draw_result(shown: Lesson, predicted: str, measured: Measured) -> None:
    """The measurement beside the prediction."""
    right = shown.right(measured).text
    if predicted == right:
        st.success(f"Correct: {right}.")
    else:
        st.warning(f"Measured: {right}. You predicted: {predicted}.")
    st.markdown(measured.sentence())
    draw(
        measured.chart.figure(),
        key=f"lesson_{shown.title}",
        alt=measured.sentence(),
        caption=measured.caption,
    )
    st.markdown(f"**What to remember.** {shown.moral}")
    st.caption(measured.source)


main()
