"""The same question, after every sentence of one story, to several models."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import compare, models
from app.panels.python_code import of_answers_by_step
from app.panels.reproduce import draw_reproduce
from app.state import URL
from app.widgets.pickers import as_text, draw, pick_model, pick_question, pick_story
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2core.babi.known_facts import known_place
from lm2core.errors import UserError

OTHERS = "others"


def draw_one_story(place: DeltaGenerator) -> None:
    """Choose a story, a question and models; show their answers in a grid."""
    st.markdown(
        "All models read the same story and are asked the same question after every sentence. "
        "Each has only what its **memory** kept of the sentences; a plain Llama keeps every word."
    )
    with st.sidebar:
        model = pick_model()
        story = pick_story(model)
    names = [model, *pick_others(model)]
    draw_answers(place, names, story, pick_question(story, len(story.sentences)))


def pick_others(model: str) -> list[str]:
    """Choose which other models are asked; by default all."""
    others = [name for name in models.comparable_names() if name != model]
    return st.multiselect("Compare with", others, default=others, key=OTHERS, bind=URL)


def draw_answers(place: DeltaGenerator, names: list[str], story: ShownStory, question_text: str) -> None:
    """The grid; a model that does not know a word is named and excluded."""
    texts = [*story.sentences, question_text]
    knowing = [name for name in names if compare.knows(name, texts)]
    if len(knowing) < len(names):
        missing = ", ".join(name for name in names if name not in knowing)
        st.info(f"Excluded, because they do not know all of these words: {as_text(missing)}.")
    if not knowing:
        st.stop()
    truth = right_answers(story, question_text)
    try:
        result = wait_for(
            "Asking after every sentence",
            compare.load_answers_by_step,
            tuple(knowing),
            story.sentences,
            question_text,
            truth,
        )
    except UserError as error:
        st.error(as_text(error))
        return
    draw_verdict(place, result.summary())
    draw(
        result.figure(),
        key="along",
        alt=result.summary(),
        caption="Each cell is the answer after that many sentences. Bright: the model is sure. ✓ and ✗: "
        "right or wrong by then. Rows without colour need no model: the last place named, and the ground "
        "truth.",
    )
    st.caption(
        "One story proves little. **Architectures** shows how often each kind of model is right over many "
        "stories, trained alike with three seeds. How the models here were trained is in the README."
    )
    st.text("\n".join(f"{n}  {sentence}" for n, sentence in enumerate(story.sentences, start=1)))
    draw_reproduce(of_answers_by_step(knowing, story.sentences, question_text))


def right_answers(story: ShownStory, question_text: str) -> tuple[str | None, ...]:
    """The right answer after 0, 1, ... sentences, where it is known."""
    known: list[str | None] = [None]
    for step in range(1, len(story.sentences) + 1):
        story_question = story.story_question(step, question_text)
        known_value = known_place(question_text, story.facts[step - 1]) if story.facts else None
        known.append(story_question.answer if story_question else known_value)
    return tuple(known)
