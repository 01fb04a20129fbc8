"""The same question, after every sentence of one story, to several models."""

import streamlit as st

from app.loaders import compare, models
from app.state import URL
from app.widgets.pickers import ShownStory, as_text, draw, pick_model, pick_question, pick_story
from app.widgets.waiting import wait_for
from lm2core.babi.known_facts import known_place
from lm2core.errors import UserError

OTHERS = "others"


def draw_one_story() -> None:
    """Choose a story, a question and the models; their answers in a grid."""
    st.title("Who still knows it?")
    st.markdown(
        "All of them read the same story, a sentence at a time, and after each are asked the same question. "
        "Each has only what its **memory** kept of the sentences; a plain Llama keeps every word."
    )
    with st.sidebar:
        model = pick_model()
        story = pick_story(model)
    names = [model, *pick_others(model)]
    draw_answers(names, story, pick_question(story.suggestion(len(story.sentences))))


def pick_others(model: str) -> list[str]:
    """Choose who else is asked: at first all others."""
    others = [name for name in models.comparable_names() if name != model]
    return st.multiselect("Beside it", others, default=others, key=OTHERS, bind=URL)


def draw_answers(names: list[str], story: ShownStory, question_text: str) -> None:
    """The grid; a model that does not know a word is named and left out."""
    texts = [*story.sentences, question_text]
    able = [name for name in names if compare.knows(name, texts)]
    if len(able) < len(names):
        missing = ", ".join(name for name in names if name not in able)
        st.info(f"Left out, as they do not know all of these words: {as_text(missing)}.")
    if not able:
        st.stop()
    truth = right_answers(story, question_text)
    try:
        result = wait_for(
            "Asking after every sentence",
            compare.load_answers_by_step,
            tuple(able),
            story.sentences,
            question_text,
            truth,
        )
    except UserError as error:
        st.error(as_text(error))
        return
    draw(
        result.figure(),
        key="along",
        alt=result.summary(),
        caption="A cell is an answer after so many sentences. Bright: the model is sure. ✓ and ✗: what the "
        "story says so far. Rows without colour need no model: the place named last, and what is right.",
    )
    st.markdown(as_text(result.summary()))
    st.caption(
        "One story proves little. How often each kind of model is right over many, trained alike with "
        "three seeds, is under **Architectures**; how these here were trained is in the README."
    )
    st.text("\n".join(f"{n}  {sentence}" for n, sentence in enumerate(story.sentences, start=1)))


def right_answers(story: ShownStory, question_text: str) -> tuple[str | None, ...]:
    """What the story says after 0, 1, ... sentences, as far as that is known."""
    known: list[str | None] = [None]
    for step in range(1, len(story.sentences) + 1):
        task_question = story.story_question(step, question_text)
        known_value = known_place(question_text, story.facts[step - 1]) if story.facts else None
        known.append(task_question.answer if task_question else known_value)
    return tuple(known)
