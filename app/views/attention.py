"""View: where a question looks before and after a sentence, and how far its attention moved. Draws only."""

import streamlit as st

from app.loaders import traces
from app.panels.attention import draw_distances, draw_question, draw_reads, draw_self_attention, pick_head
from app.panels.python_code import distances_code, of_story
from app.panels.reproduce import draw_reproduce
from app.panels.story_memory import pick_block
from app.state import STEP, URL, clamp_state
from app.widgets.pickers import choose_story, container_key, pick_step
from app.widgets.verdict import verdict_place
from lm2core.traces.trace import Trace

PREVIOUS, FRESH, CHOSEN = "The previous sentence", "A fresh bank", "A chosen sentence"
OTHER_STEP, HEAD, ALL_BLOCKS = "other_step", "head", "all_blocks"


def main() -> None:
    """The page, from top to bottom."""
    st.title("Where does a question look?")
    place = verdict_place()
    st.markdown(
        "To answer a question, its words **attend** to the memory slots. Every sentence changes the bank, "
        "and may change where they look. Two heatmaps alone prove little, so the page also measures how far "
        "the attention moved, and compares that with a case where it should move and one where it should not."
    )
    model, story, trace = choose_story()
    n = len(story.sentences)
    clamp_state(STEP, 0, n)
    step = pick_step(n)
    other = pick_other_step(step, n)
    left, right = st.columns([3, 5], gap="large")
    with left:
        question_text = draw_question(model, story, other, step)
    if question_text is None:
        st.stop()
    with right:
        block, head = pick_block_and_head(trace)
        before, after = (
            traces.load_answer(model, story.sentences, s, question_text).trace for s in (other, step)
        )
        draw_reads(before, after, block, head, steps=(other, step))
        draw_distances(place, model, story.sentences, (other, step), question_text)
        code = distances_code(other)
        draw_reproduce(of_story(model, story.sentences, step, question_text, code))
    with left:
        draw_self_attention(model, story.sentences, step, block)


def pick_other_step(step: int, n_sentences: int) -> int:
    """Choose the bank to compare with, by the number of sentences it has seen."""
    kinds = [PREVIOUS, FRESH, CHOSEN]
    left, right = st.columns([5, 3])
    kind = left.segmented_control(
        "Compare with", kinds, default=PREVIOUS, required=True, key="compared_bank", bind=URL
    )
    clamp_state(OTHER_STEP, 0, n_sentences)
    chosen = right.container(key=container_key(kind == CHOSEN, OTHER_STEP)).number_input(
        "After sentence", 0, n_sentences, 0, key=OTHER_STEP, bind=URL, disabled=kind != CHOSEN
    )
    if kind == CHOSEN:
        return int(chosen)
    return max(step - 1, 0) if kind == PREVIOUS else 0


def pick_block_and_head(trace: Trace) -> tuple[int | None, int | None]:
    """Choose a block with memory and one of its heads; None is the mean over them."""
    n_heads = trace.select(f"blocks.{trace.blocks[0]}.mem.hook_read_pattern", story=0, segment=0).shape[0]
    left, right = st.columns([4, 5])  # heads have one more button
    with left:
        is_mean = st.toggle("Mean over blocks", key=ALL_BLOCKS, bind=URL)
        block = pick_block(trace, disabled=is_mean)
    with right:
        head = pick_head("Head", n_heads, key=HEAD)
    return None if is_mean else block, head


main()
