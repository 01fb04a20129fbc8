"""Parts of the attention page: the question and its two answers, reads, self-attention, distances."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import traces
from app.state import URL
from app.widgets.pickers import as_text, draw, pick_question
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.figures.heatmap import fraction_heatmap, stacked_fractions
from lm2viz.figures.read_shift import distances_by_head
from lm2viz.story.read_shift import distances_of_answer, read_pair, self_attention
from lm2viz.story.select import largest_size, words_of
from lm2viz.story.verdicts import shift_in_words

MEAN = "mean"


def draw_question(model: str, story: ShownStory, other: int, step: int) -> str | None:
    """The story around the step, the question, and its answer from both banks; None if it cannot be asked."""
    with st.container(border=True):
        st.text("\n".join(story.lines_around(step)))
    st.caption("✓ read   ▶ just read   · not read yet")
    question_text = pick_question(story, step)
    try:
        answers = [traces.load_answer(model, story.sentences, s, question_text) for s in (other, step)]
    except UserError as error:
        st.error(as_text(error))
        return None
    st.markdown(
        " ".join(
            f"{_after(s)} the model answers **{as_text(a.words[0])}** ({a.probabilities[0]:.0%})."
            for s, a in zip((other, step), answers, strict=True)
        )
    )
    if other == step:
        st.info("Both banks are the same, so their reads are equal. Choose another sentence.")
    return question_text


def draw_reads(
    before: Trace, after: Trace, block: int | None, head: int | None, *, steps: tuple[int, int]
) -> None:
    """Attention of each word over slots from both banks, and the difference."""
    pair, where = read_pair(before, after, block, head), f"{_blocks(block)}, {_heads(head)}"
    titles = [f"{_after(s)}: where each word looked" for s in steps]  # of the same bank twice: one panel
    draw(
        stacked_fractions(
            dict(zip(titles, (pair.before, pair.after), strict=True)),
            rows=words_of(after, 0),
            columns=[str(n) for n in range(pair.after.shape[1])],
            signed={"Change in attention: the second minus the first": pair.difference},
        ),
        key="reads",
        alt=f"Attention of each word over slots, {where}: {_after(steps[0])}, largest "
        f"{pair.before.max():.2f}; {_after(steps[1])}, largest {pair.after.max():.2f}; their "
        f"difference, largest size {largest_size(pair.difference):.2f}",
        caption=f"{where.capitalize()}. Bright: this word reads this slot. Each row sums to 1. Share of the "
        f"last word's attention that moved: {pair.distances[-1]:.2f}. Blue: the word looks there more than "
        "before; red: less. The colour scale of the change ends at the largest difference.",
    )


def draw_self_attention(model: str, sentences: Sequence[str], step: int, block: int | None) -> None:
    """How the words of the sentence just read attend to each other, in the same block or in all."""
    if step == 0:
        st.info("No sentence has been read yet. Press **Next** to see how its words attend to each other.")
        return
    trace = wait_for("Reading the story again", traces.load_self_attention, model, sentences)
    n_heads = trace.select("blocks.0.attn.hook_pattern", story=0, segment=0).shape[0]
    head = pick_head("Self-attention head", n_heads, key="attn_head")
    names = words_of(trace, step - 1)
    draw(
        fraction_heatmap(
            self_attention(trace, step - 1, block, head),
            rows=names,
            columns=[str(i) for i in range(len(names))],
            title=f"Self-attention in sentence {step}",
            unit="attention",
            column_title="index of the attended word",
        ),
        key="self_attention",
        alt=f"Self-attention of sentence {step}, {_blocks(block)}, word by word",
        caption=f"{_blocks(block).capitalize()}, {_heads(head)}; these are not the heads of the memory. "
        "A word attends to itself and to earlier words of this sentence; older ones come from the slots.",
    )


def pick_head(label: str, n_heads: int, *, key: str) -> int | None:
    """Choose a head; None is their mean."""
    heads = [MEAN, *map(str, range(n_heads))]
    head = st.segmented_control(label, heads, default=MEAN, required=True, key=key, bind=URL)
    return None if head == MEAN else int(head)


def draw_distances(
    place: DeltaGenerator, model: str, sentences: Sequence[str], steps: tuple[int, int], question_text: str
) -> None:
    """How far the last word's attention moved, beside a fresh bank and an untrained model."""
    fresh, before, after = (traces.load_answer(model, sentences, s, question_text).trace for s in (0, *steps))
    message = "Reading the same story with an untrained model"
    control = [
        wait_for(message, traces.load_untrained_read, model, sentences, s, question_text) for s in steps
    ]
    distances = {
        "from the first bank to the second": distances_of_answer(before, after),
        "scale: from a fresh bank to the second": distances_of_answer(fresh, after),
        "control: first to second, untrained model": distances_of_answer(control[0], control[1]),
    }
    moved, _, of_control = distances.values()
    draw_verdict(place, shift_in_words(moved, of_control))
    draw(
        distances_by_head(distances, blocks=after.blocks),
        key="distances",
        alt="; ".join(f"{name}: mean {values.mean():.2f}" for name, values in distances.items()),
        caption="Mean over blocks and heads: "
        + "; ".join(f"{name} {values.mean():.3f} (n = {values.size})" for name, values in distances.items())
        + ". Each point is a head; 0: it looks at the same slots in the same shares, 1: at none of them. "
        "This is one question about one story. A sentence about somebody else should move little.",
    )


def _after(step: int) -> str:
    return f"After {step} sentences" if step != 1 else "After 1 sentence"


def _blocks(block: int | None) -> str:
    return "mean over blocks" if block is None else f"block {block}"


def _heads(head: int | None) -> str:
    return "mean over heads" if head is None else f"head {head}"
