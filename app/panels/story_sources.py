"""The sentences that an answer rests on: where what the question read came from, beside a control."""

import streamlit as st

from app.loaders import sources
from app.panels.python_code import of_story, sources_code
from app.panels.reproduce import draw_reproduce
from app.state import STEP
from app.widgets.pickers import as_text, draw
from app.widgets.shown_story import ShownStory
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.reading.answers import Answer

CHART = "sources"


def question_after(step: int, answer: Answer | None) -> str | None:
    """The question that was asked; None, and a line on the page, where there is nothing to look into."""
    if answer is None:
        st.info("There is no answer to show. Change the question on the left.")
        return None
    if step == 0:
        st.info("No sentence has been read yet. Press **Next** to read the first one.")
        return None
    return str(answer.trace.info["question"])


def draw_sources(model: str, story: ShownStory, step: int, answer: Answer | None) -> None:
    """A bar for each sentence: its share of what the question reads from the bank of this step."""
    question_text = question_after(step, answer)
    if question_text is None:
        return
    story_question = story.story_question(step, question_text)
    try:
        question = (
            model,
            story.sentences,
            step,
            question_text,
            story_question.support if story_question else (),
        )
        result = wait_for("Tracing the read back through the slots", sources.load_sources, *question)
    except UserError as error:
        st.info(as_text(error))
        return
    st.markdown(f"**{as_text(result.verdict)}**")
    draw(
        result.figure(),
        key=CHART,
        alt=f"Share of each sentence of what the question read: {result.summary()}",
        caption="A long bar: much of what the question read came from this sentence. Diamonds: control, the "
        "same bank with every slot read equally. On the right: the probability of the answer when the "
        "sentence is removed and the story read again. Click a row to go to its sentence.",
        on_click=go_to_clicked,
    )
    draw(
        result.arrows(),
        key="arrows",
        alt=f"From the answer through slots to sentences: {result.summary()}",
        caption="The same as a graph. Green: how much of the read came from each slot; blue: which sentences "
        "the slot's content came from. Wide is much; under 0.03 is not drawn.",
    )
    if result.n_omitted:
        st.caption(f"Not shown: {result.n_omitted} sentences that together brought {result.rest:.0%}.")
    st.caption(
        f"With all sentences, *{as_text(result.model_answer)}* is {result.p_all:.0%} probable. Bold: at most "
        "half of that, so the answer needs the sentence. The bars show where content came from and need not "
        "agree with that: whether an apple was put down or is still held, it is in the same place. The parts "
        f"sum to the bank within {result.error:.0e} of a value."
    )
    code = sources_code(story_question.support if story_question else ())
    draw_reproduce(of_story(model, story.sentences, step, question_text, code))


def go_to_clicked() -> None:
    """Go to the sentence whose row was clicked; the fresh bank is before the first."""
    points = st.session_state[CHART]["selection"]["points"]
    if points:
        number = points[0]["customdata"]
        st.session_state[STEP] = int(number[0] if isinstance(number, list) else number)
