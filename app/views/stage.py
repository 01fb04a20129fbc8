"""View: the stage, where a story flows into memory and a question reads it. The first page."""

import streamlit as st

from app.loaders import models, stage
from app.state import QUESTION, SLOT, STEP, URL, VIEW
from app.widgets.erase import erase_link
from app.widgets.pickers import as_text, pick_model_and_story
from app.widgets.shown_story import ShownStory
from app.widgets.stage import draw_stage
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.reading.checkpoints import shipped_models
from lm2viz.stage.page import MAX_QUESTIONS, stage_questions

# The stage is to be seen without scrolling: less space above it than on other pages.
COMPACT = (
    "<style>.stMainBlockContainer{padding-top:2.5rem;padding-bottom:1rem}"
    ".stMainBlockContainer h1{font-size:1.6rem;padding:0}</style>"
)


def main() -> None:
    """The page, from top to bottom."""
    if VIEW in st.query_params:  # a link of an earlier version, when this address was the page Story
        st.switch_page("views/story.py", query_params=st.query_params.to_dict())
    st.html(COMPACT)
    st.title("What is in this model's memory?")
    model, story = pick_model_and_story()
    questions = questions_of(model, story)
    try:
        payload = wait_for(
            "Reading the story and asking", stage.load_payload, model, story.sentences, questions
        )
    except UserError as error:
        st.info(as_text(error))
        st.stop()
    st.markdown(
        f"**LM2** reads a story sentence by sentence and **writes** to {payload['model']['n_slots']} memory "
        "slots; then the words are gone. A question can only **read** the slots. Play the story, then click "
        "a slot: what does it hold, who put it there, and does the answer need it?"
    )
    is_linked = STEP in st.session_state or STEP in st.query_params
    place = st.container()  # the stage, above the switch that it depends on
    tour = below()
    step = min(linked_step(), len(story.sentences))
    start = {
        "step": step,
        "question": first_question(questions),
        "slot": linked_slot(),
        "autoplay": not is_linked,
        "tour": tour,
    }
    identity = str(hash((model, story.sentences, questions, tour)))
    with place:
        draw_stage(identity, payload, stage.load_engine(model), start=start)


def below() -> bool:
    """What stands below the stage; whether the guided tour is asked for."""
    left, middle, right = st.columns(3, vertical_alignment="center")
    middle.page_link("views/story.py", label="Every number of this step", icon=":material/menu_book:")
    if isinstance(slot := st.session_state.get(SLOT), int):
        label = f"Erase slot {slot} in many stories"
        link = erase_link(slot, st.session_state.get(QUESTION, ""))
        right.page_link("views/interventions.py", label=label, icon=":material/science:", query_params=link)
    with left:
        return st.toggle(
            "Guided tour", key="tour", bind=URL, help="Five stops: write, overwrite, read, erase, block."
        )


def linked_step() -> int:
    """The step of the state or of the link; 0 where a link holds no number."""
    asked = str(st.session_state.get(STEP, st.query_params.get(STEP, "")))
    return int(asked) if asked.isdecimal() else 0


def linked_slot() -> int | None:
    """The slot of the link, whose card is open at first."""
    asked = st.query_params.get(SLOT, "")
    return int(asked) if asked.isdecimal() else None


def questions_of(model: str, story: ShownStory) -> tuple[str, ...]:
    """Where everyone and everything is, what the story asks, and the question of the link.

    A model that was trained on other stories may know the words of none; then one is to be typed.
    """
    asked_by_story = [question.text for question in story.questions]
    texts = stage_questions(story.sentences, asked_by_story)
    if model not in shipped_models():  # those know these words, and open without a model
        if models.is_beside_llama(model):  # each takes a while
            texts = stage_questions(story.sentences, asked_by_story[-1:])
        texts = tuple(text for text in texts if models.knows_words(model, text))
    if not texts:
        st.text_input("Question", key=QUESTION, max_chars=200, bind=URL)
    asked = st.session_state.get(QUESTION) or st.query_params.get(QUESTION)
    if not texts and not asked:
        st.info("Type a question in the words that this model was trained on, and press Enter.")
        st.stop()
    return texts if not asked or asked in texts else (*texts[: MAX_QUESTIONS - 1], asked)


def first_question(questions: tuple[str, ...]) -> int:
    """Index of the question of the link."""
    asked = st.session_state.get(QUESTION) or st.query_params.get(QUESTION)
    return questions.index(asked) if asked in questions else 0


main()
