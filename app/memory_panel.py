"""The pictures of a bank: what a sentence wrote, what a question read, the whole bank, one slot's history."""

from collections.abc import Callable, Mapping

import streamlit as st

from app.state import BLOCK, SLOT, STEP, URL, VIEW, choose_clicked, keep_inside
from app.widgets import draw
from lm2core.answers import Answer
from lm2core.trace import Trace
from lm2viz import select
from lm2viz.figures.heatmap import fraction_heatmap, signed_heatmap, stacked_fractions

# What a link says is what the page says: the options are their own labels.
SENTENCE, READS, BANK, ONE_SLOT = "Last sentence", "Question", "Whole bank", "One slot"


def draw_memory(
    trace: Trace, step: int, answer: Answer | None, *, more: Mapping[str, Callable[[], None]] | None = None
) -> None:
    """The chosen picture of the bank. Every picker is always there, so that its value stays in the link.

    more : further pictures that a page has, by what its choice is called; each draws itself
    """
    st.subheader("Memory")
    more = more or {}
    views = [SENTENCE, READS, *more, BANK, ONE_SLOT]
    view = st.segmented_control("Look at", views, default=SENTENCE, required=True, key=VIEW, bind=URL)
    left, right = st.columns(2)
    with left:
        block = pick_block(trace, disabled=view not in (SENTENCE, READS))
    with right:
        slot = pick_slot(trace, disabled=view != ONE_SLOT)
    if view in more:
        more[view]()
    elif view == ONE_SLOT:
        draw_slot(trace, step, slot)
    elif view == READS and answer is not None:
        draw_reads(answer.trace, block)
    elif view == READS:
        st.info("Nothing was asked here, or the question could not be: mend it on the left.")
    elif step == 0:
        st.info("No sentence has been read. Press **Next** to read the first one.")
    elif view == BANK:
        draw_bank(trace, step)
    else:
        draw_writes(trace, step, block)


def pick_block(trace: Trace, *, disabled: bool) -> int:
    """Choose one of the blocks that have memory."""
    blocks = list(trace.blocks)
    return st.segmented_control(
        "Block", blocks, default=blocks[0], required=True, key=BLOCK, bind=URL, disabled=disabled
    )


def pick_slot(trace: Trace, *, disabled: bool) -> int:
    """Choose one of the slots of the bank."""
    n_slots = trace.select("hook_bank", story=0, segment=0).shape[0]
    keep_inside(SLOT, 0, n_slots - 1)
    return st.number_input("Slot", 0, n_slots - 1, 0, key=SLOT, bind=URL, disabled=disabled)


def draw_writes(trace: Trace, step: int, block: int) -> None:
    """What the last sentence did: its words by slots, and gates and change of every slot."""
    strength = select.write_strength(trace, step - 1, block)
    slots = [str(n) for n in range(strength.shape[1])]
    draw(
        fraction_heatmap(
            strength,
            rows=select.words_of(trace, step - 1),
            columns=slots,
            title=f"Who wrote where, block {block}",
            unit="share × input gate",
        ),
        key="writes",
        alt=f"Words of the sentence by slots, block {block}: strongest {strength.max():.2f}",
        caption="A bright cell: this word opened this slot and wrote to it. Click a cell to open its slot.",
        on_click=open_clicked_slot,
    )
    opened, kept = select.slot_gates(trace, step - 1)
    moved = select.slot_change(trace, step - 1)
    draw(
        stacked_fractions(
            {
                "Input gate: bright let new content in": opened,
                "Forget gate: dark erased what was there": kept,
                "Change: bright now holds something else": moved,
            },
            rows=[f"block {b}" for b in trace.blocks],
            columns=slots,
        ),
        key="gates",
        alt=f"By block and slot: input gate up to {opened.max():.2f}, kept down to {kept.min():.2f}",
        caption="Every slot after the sentence, block by block. A block's input gate is its picture above, "
        "summed over its words; change is the root mean square over the slot's width, drawn up to 1.",
    )


def open_clicked_slot() -> None:
    """Go from a clicked cell to the history of its slot."""
    if st.session_state["writes"]["selection"]["points"]:
        choose_clicked("writes", column=SLOT)
        st.session_state[VIEW] = ONE_SLOT


def draw_reads(trace: Trace, block: int) -> None:
    """Where the question looked: its last word for every block and head, then every word in one block."""
    pattern, rows = select.read_by_head(trace, token=len(trace.tokens[0][0]) - 1)
    slots = [str(n) for n in range(pattern.shape[1])]
    draw(
        fraction_heatmap(
            pattern, rows=rows, columns=slots, title="Where the last word looked", unit="attention"
        ),
        key="reads",
        alt="Attention of the question's last word over slots, one row per block and head",
        caption="A bright cell: this head took what it adds to the answer from this slot. Rows sum to 1.",
    )
    draw(
        fraction_heatmap(
            select.read_by_token(trace, block, head=None),
            rows=select.words_of(trace, 0),
            columns=slots,
            title=f"Where each word looked, block {block}, mean over heads",
            unit="attention",
        ),
        key="reads_by_word",
        alt=f"Attention of each word of the question over slots in block {block}",
        caption="A bright cell: this word read this slot. Rows sum to 1.",
    )


def draw_bank(trace: Trace, step: int) -> None:
    """All slots before and after the sentence, and the difference, on one scale."""
    before, after, difference = select.bank_move(trace, step - 1)
    limit = select.largest_size(before, after)
    rows, dims = [str(n) for n in range(len(before))], [str(d) for d in range(before.shape[1])]
    for key, values, what in (
        ("difference", difference, "What the sentence changed: after minus before"),
        ("before", before, "The bank before the sentence"),
        ("after", after, "The bank after the sentence"),
    ):
        draw(
            signed_heatmap(values, rows=rows, columns=dims, title=what, unit="value", limit=limit),
            key=f"bank_{key}",
            alt=f"{what}: slots by dimensions, largest size {select.largest_size(values):.2f}",
            caption="One row is one slot. Blue is positive, red negative, white zero; the scale is shared.",
        )


def draw_slot(trace: Trace, step: int, slot: int) -> None:
    """One slot through the story: when it was written, and which words wrote most."""
    history = select.slot_history(trace, slot)
    draw(
        fraction_heatmap(
            history,
            rows=[f"block {b}" for b in trace.blocks],
            columns=[str(i + 1) for i in range(trace.n_segments)],
            title=f"Input gate of slot {slot} at every sentence",
            unit="gate",
            column_title="sentence",
        ),
        key="history",
        alt=f"Input gate of slot {slot} by block and sentence, largest {history.max():.2f}",
        caption="Bright: this sentence wrote to the slot. Click a sentence to go there.",
        on_click=lambda: choose_clicked("history", column=STEP, offset=1),
    )
    st.markdown(f"Words that opened slot {slot} widest, up to sentence {step}:")
    writers = select.top_writers(trace, slot, until=step)
    st.dataframe(
        {
            "word": [w.word for w in writers],
            "sentence": [w.segment + 1 for w in writers],
            "block": [w.block for w in writers],
            "share × input gate": [w.strength for w in writers],
        },
        hide_index=True,
        column_config={
            "share × input gate": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f")
        },
    )
