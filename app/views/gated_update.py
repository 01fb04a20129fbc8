"""View: the gated update of one slot with its numbers, and its gates to edit. Draws; computes nothing."""

import streamlit as st

from app.panels.gated_update import draw_bank_difference, draw_routes, draw_slot_update, draw_word, pick_cell
from app.panels.gated_update_edit import asked_after, draw_answers, pick_gate_edit
from app.panels.python_code import of_story, update_code
from app.panels.reproduce import draw_reproduce
from app.state import QUESTION, STEP, clamp_state
from app.widgets.pickers import choose_story, pick_step
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict, verdict_place
from lm2core.traces.trace import Trace
from lm2viz.story.select import words_of
from lm2viz.story.verdicts import written_at


def main() -> None:
    """The page, from top to bottom."""
    st.title("How does one slot change?")
    place = verdict_place()
    st.markdown(
        "After each sentence, every slot **keeps** a share of what it held, and what the words **write** is "
        "added. Choose a slot, see the sum with its numbers, then edit the gates yourself."
    )
    model, story, trace = choose_story()
    clamp_state(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences), default=first_step(story, trace))
    if step == 0:
        draw_verdict(place, "Nothing is written yet: read a sentence to see which slot it changes.")
        st.info("No sentence has been read yet, so nothing is written. Press **Next** to read the first one.")
        st.stop()
    st.text(f"▶ {step}  {story.sentences[step - 1]}")
    cell = pick_cell(model, story.sentences, trace, step)
    left, right = st.columns([5, 4], gap="large")
    with right:
        gate_edit = pick_gate_edit(cell)
        answer = draw_answers(place, trace, story, cell, gate_edit)
    with left:
        draw_slot_update(cell, gate_edit)
        if gate_edit is not None:
            draw_bank_difference(trace, cell, gate_edit)
    draw_word(cell, words_of(trace, step - 1))
    if answer is not None:
        draw_routes(trace, cell, answer, gate_edit)
        code = update_code(step, cell.block, cell.slot, gate_edit)
        question_text = answer.trace.info["question"]
        draw_reproduce(of_story(model, story.sentences, asked_after(cell), question_text, code))


def first_step(story: ShownStory, trace: Trace) -> int:
    """The sentence that wrote what the question asks for; else the last one."""
    asked = st.session_state.get(QUESTION) or st.query_params.get(QUESTION)
    question = asked or story.question_at(len(story.sentences)) or ""
    return written_at(trace, question) or len(story.sentences)


main()
