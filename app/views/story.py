"""View: step through a story, see what each sentence writes, ask at any step. Draws; computes nothing."""

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import models, traces
from app.panels.python_code import of_story, picture_code
from app.panels.reproduce import draw_reproduce
from app.panels.story_memory import draw_memory
from app.state import BLOCK, SLOT, STEP, VIEW, clamp_state
from app.widgets.pickers import as_text, choose_story, draw, pick_question, pick_step
from app.widgets.play import keep_playing, play_button
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict, verdict_place
from lm2core.babi.known_facts import known_place
from lm2core.babi.story import Question
from lm2core.errors import UserError
from lm2core.reading.answers import Answer
from lm2core.traces.trace import Trace
from lm2viz.figures.bars import answer_bars
from lm2viz.story.verdicts import answer_in_words

N_ANSWERS = 6
WORDS, SOURCES, FACTS = "Slot words", "Sources", "Facts"


def main() -> None:
    """The page, from top to bottom."""
    st.title("What is in this model's memory?")
    place = verdict_place()
    st.markdown(
        "LM2 reads a story sentence by sentence. Each sentence may **write** to a small bank of memory "
        "**slots**; then its words are gone. A question can only **read** the bank. "
        "Step through the story and watch."
    )
    model, story, trace = choose_story()
    n_sentences = len(story.sentences)
    clamp_state(STEP, 0, n_sentences)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        button = st.container(width="content")
        step = pick_step(n_sentences)
    with button:  # after the slider, whose step decides whether the story plays
        play_button((model, story.sentences), n_sentences)
    left, right = st.columns([3, 5], gap="large")
    with left:
        draw_story(story, step)
        answer = draw_question(place, model, story, step)
    with right:
        more = {
            WORDS: partial(draw_slot_words, model, story, step, answer),
            SOURCES: partial(draw_sources, model, story, step, answer),
        }
        if not models.is_beside_llama(model):  # no slot holds the same fact in every story: nothing to probe
            more[FACTS] = partial(draw_facts, model, story, trace, step)
        draw_memory(trace, step, answer, more=more)
    if answer is not None and st.session_state[VIEW] not in more:  # these draw their own
        state = st.session_state
        code = picture_code(view=state[VIEW], step=step, block=state[BLOCK], slot=state[SLOT])
        draw_reproduce(of_story(model, story.sentences, step, answer.trace.info["question"], code))
    keep_playing((model, story.sentences), n_sentences)


def draw_slot_words(model: str, story: ShownStory, step: int, answer: Answer | None) -> None:
    """What each slot says when it is read alone. Imported on demand, like ``draw_sources``."""
    from app.panels import story_slot_words

    story_slot_words.draw_slot_words(model, story, step, answer)


def draw_sources(model: str, story: ShownStory, step: int, answer: Answer | None) -> None:
    """Which sentences the answer rests on. Imported on demand, so that the first page need not wait."""
    from app.panels import story_sources

    story_sources.draw_sources(model, story, step, answer)


def draw_facts(model: str, story: ShownStory, trace: Trace, step: int) -> None:
    """What is true and what probes decode. Imported on demand, like ``draw_sources``."""
    from app.panels import story_facts

    story_facts.draw_facts(model, story, trace, step)


def draw_story(story: ShownStory, step: int) -> None:
    """The sentences near the current one, as plain text, never as markup."""
    st.subheader("Story")
    with st.container(border=True):
        st.text("\n".join(story.lines_around(step)))
    st.caption("✓ read   ▶ just read   · not read yet")


def draw_question(place: DeltaGenerator, model: str, story: ShownStory, step: int) -> Answer | None:
    """Ask the bank of this step, and a fresh bank as control."""
    st.subheader("Ask")
    question_text = pick_question(story, step)
    try:
        answer = traces.load_answer(model, story.sentences, step, question_text)
        control = traces.load_answer(model, story.sentences, 0, question_text)
    except UserError as error:
        st.error(as_text(error))
        return None
    if step == 0:
        st.info("No sentence has been read yet: the bank is fresh, and the answer is a guess.")
    story_question = story.story_question(step, question_text)
    right = story_question.answer if story_question else _known_place(story, step, question_text)
    draw_verdict(place, answer_in_words(question_text, answer, control, right))
    st.markdown(f"After {step} of {len(story.sentences)} sentences. {_support(story_question)}")
    words = answer.words[:N_ANSWERS]
    of_control = dict(zip(control.words, control.probabilities, strict=True))
    draw(
        answer_bars(
            words,
            {
                "this bank": answer.probabilities[:N_ANSWERS],
                "control: fresh bank": [of_control[w] for w in words],
            },
        ),
        key="answers",
        alt=f"Answer {answer.words[0]} with probability {answer.probabilities[0]:.0%}",
        caption="A long blue bar: the model is sure. Ochre: control, its answer from a fresh bank.",
    )
    return answer


def _known_place(story: ShownStory, step: int, question_text: str) -> str | None:
    """The answer that follows from the sentences read so far, where it is known."""
    return known_place(question_text, story.facts[step - 1]) if story.facts and step else None


def _support(question: Question | None) -> str:
    """The sentences that the answer follows from, counted from 1; nothing where they are not known."""
    numbers = [str(i + 1) for i in sorted(question.support)] if question else []
    if not numbers:
        return ""
    return f"The right answer follows from sentence{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}."


main()
