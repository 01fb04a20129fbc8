"""View: the gated update of one slot with its numbers, gates to move by hand. Draws; computes nothing."""

import streamlit as st

from app.panels.gated_update import draw_bank_moved, draw_routes, draw_slot_update, draw_word, pick_cell
from app.panels.gated_update_edit import draw_answers, pick_move
from app.state import STEP, keep_inside
from app.widgets.pickers import choose_story, pick_step
from lm2viz.story.select import words_of


def main() -> None:
    """The page, from top to bottom."""
    st.title("How does one slot change?")
    st.markdown(
        "When a sentence has been read, every slot **keeps** a share of what it held, and what the words "
        "**write** is added. Choose one slot, see the sum with its numbers, then move the gates yourself."
    )
    model, story, trace = choose_story()
    keep_inside(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences))
    if step == 0:
        st.info(
            "No sentence has been read, so nothing has been written. Press **Next** to read the first one."
        )
        st.stop()
    st.text(f"▶ {step}  {story.sentences[step - 1]}")
    cell = pick_cell(model, story.sentences, trace, step)
    left, right = st.columns([5, 4], gap="large")
    with right:
        move = pick_move(cell)
        answer = draw_answers(story, cell, move)
    with left:
        draw_slot_update(cell, move)
        if move is not None:
            draw_bank_moved(trace, cell, move)
    draw_word(cell, words_of(trace, step - 1))
    if answer is not None:
        draw_routes(trace, cell, answer, move)


main()
