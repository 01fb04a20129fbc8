"""View: short lessons, each a prediction and then the measurement. Draws; computes nothing."""

import streamlit as st

from app.loaders.lessons import load_measured
from app.panels.lessons import answered, draw_live, draw_progress, draw_turning, pick_lesson
from app.widgets.pickers import draw
from app.widgets.waiting import wait_for
from lm2viz.lessons import Lesson, Measured


def main() -> None:
    """The page, from top to bottom."""
    st.title("Predict, then measure")
    progress = st.empty()  # counts the answer that is given below
    shown = pick_lesson()
    st.subheader(shown.title)
    st.markdown(shown.text)
    predicted = draw_choices(shown)
    if predicted:
        answered()[shown.title] = predicted
        draw_result(shown, predicted, wait_for("Measuring", load_measured, shown.title))
    else:
        st.info("Choose an answer first. You learn more from a result that you tried to predict.")
    with progress:
        draw_progress(shown)
    draw_turning(shown)


def draw_choices(shown: Lesson) -> str | None:
    """The choices; returns the one chosen, now or before, or None."""
    texts = [choice.text for choice in shown.choices]
    before = answered().get(shown.title)
    chosen = None if before is None else texts.index(before)
    return st.radio(f"**{shown.question}**", texts, index=chosen, key=f"predicted_{shown.title}")


def draw_result(shown: Lesson, predicted: str, measured: Measured) -> None:
    """The measurement beside the prediction."""
    right = shown.right(measured).text
    if predicted == right:
        st.success(f"Correct: {right}.")
    else:
        st.warning(f"Measured: {right}. You predicted: {predicted}.")
    st.markdown(measured.sentence())
    alt = measured.sentence()
    draw(measured.chart.figure(), key=f"lesson_{shown.title}", alt=alt, caption=measured.caption)
    st.markdown(f"**What to remember.** {shown.moral}")
    st.caption(measured.source)
    if measured.live:
        draw_live(measured.live)


main()
