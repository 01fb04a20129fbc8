"""View: does the input gate tell a few facts from the text around them? Draws; computes nothing."""

import streamlit as st

from app.loaders import models, noise
from app.panels.noise import draw_answers, draw_contrast, draw_means, draw_segments, draw_strips
from app.panels.reproduce import draw_reproduce, of_long_text
from app.state import STEP, URL, clamp_state
from app.widgets.pickers import as_text, pick_step
from app.widgets.verdict import draw_verdict, verdict_place
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2viz.stats.noise import MEANING


def main() -> None:
    """The page, from top to bottom."""
    st.title("Does the memory ignore noise?")
    place = verdict_place()
    st.markdown(
        "A few **facts** of a story are hidden in **background** text, sentences of Python's reference "
        "pages. The model reads everything, sentence by sentence, into one small bank. To answer at the end, "
        "its **input gate** should open on facts and stay shut on the background. See whether it does."
    )
    if noise.MODEL not in models.model_names():
        st.info(
            f"The model {noise.MODEL} is not installed. Reinstall the package with its models, or train one "
            "with: lm2 train --preset babilong-tiny --out DIR"
        )
        st.stop()
    with st.sidebar:
        text = pick_text()
    try:
        trace = wait_for("Reading the text", noise.load_reading, *text, True)
    except UserError as error:
        st.error(as_text(error))
        st.stop()
    clamp_state(STEP, 0, trace.n_segments)
    step = pick_step(trace.n_segments)
    left, right = st.columns([3, 5], gap="large")
    with left:
        draw_segments(trace, step)
        draw_answers(text, trace, step)
    with right:
        st.subheader("Input gate")
        measure = st.segmented_control(
            "Measure", list(MEANING), default=next(iter(MEANING)), required=True, key="gate_measure", bind=URL
        )
        draw_strips(trace, measure)
        contrast = wait_for(
            "Reading the same text with an untrained model", noise.load_contrast, *text, measure
        )
        draw_verdict(place, f"Does the input gate stay shut? {contrast.verdict}")
        draw_contrast(contrast)
    with st.expander("Mean input gate by block, with intervals"):
        draw_means(contrast)
    draw_reproduce(of_long_text(noise.MODEL, *text, measure))


def pick_text() -> tuple[str, str, int]:
    """Choose a task, a length and a seed."""
    tasks = models.known_tasks(noise.MODEL)
    task = st.selectbox("Task", tasks, key="noise_task", bind=URL)
    length = st.segmented_control(
        "Length in tokens",
        noise.LENGTHS,
        default=noise.LENGTHS[1],
        required=True,
        key="length",
        bind=URL,
        help="0k is the facts alone. Every length leaves 300 tokens for a prompt, as in BABILong.",
    )
    seed = st.number_input(
        "Seed", 0, 10_000, 0, key="seed", bind=URL, help="The same seed always gives the same text."
    )
    st.caption(f"Model: {noise.MODEL}, {models.describe(noise.MODEL)}")
    return task, length, int(seed)


main()
