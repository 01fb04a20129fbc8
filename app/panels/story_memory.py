"""Pictures of a bank: what a sentence wrote, what a question read, the whole bank, one slot's history."""

from collections.abc import Callable, Mapping

import streamlit as st

from app.state import BLOCK, SLOT, STEP, URL, VIEW, choose_clicked, clamp_state
from app.widgets.pickers import draw, shown_if
from lm2core.reading.answers import Answer
from lm2core.traces.trace import Trace
from lm2viz.story import pictures, select
from lm2viz.story.pictures import Picture

# Labels of the views, and their values in the URL.
SENTENCE, READS, BANK, ONE_SLOT = "Last sentence", "Question", "Whole bank", "One slot"


def draw_memory(
    trace: Trace, step: int, answer: Answer | None, *, more: Mapping[str, Callable[[], None]] | None = None
) -> None:
    """The chosen picture of the bank. Pickers that do not act are hidden; their values stay in the link.

    more : further views of the page by label, as functions that draw them
    """
    st.subheader("Memory")
    more = more or {}
    views = [SENTENCE, READS, *more, BANK, ONE_SLOT]
    view = st.segmented_control("View", views, default=SENTENCE, required=True, key=VIEW, bind=URL)
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
        st.info("There is no answer to show. Change the question on the left.")
    elif step == 0:
        st.info("No sentence has been read yet. Press **Next** to read the first one.")
    elif view == BANK:
        draw_bank(trace, step)
    else:
        draw_writes(trace, step, block)


def pick_block(trace: Trace, *, disabled: bool) -> int:
    """Choose one of the blocks that have memory."""
    blocks = list(trace.blocks)
    return shown_if(not disabled, BLOCK).segmented_control(
        "Block", blocks, default=blocks[0], required=True, key=BLOCK, bind=URL, disabled=disabled
    )


def pick_slot(trace: Trace, *, disabled: bool) -> int:
    """Choose one of the slots of the bank."""
    n_slots = trace.select("hook_bank", story=0, segment=0).shape[0]
    clamp_state(SLOT, 0, n_slots - 1)
    return shown_if(not disabled, SLOT).number_input(
        "Slot", 0, n_slots - 1, 0, key=SLOT, bind=URL, disabled=disabled
    )


def draw_writes(trace: Trace, step: int, block: int) -> None:
    """What the last sentence did: words by slots, then gates and change of every slot."""
    show(
        pictures.writes(trace, step - 1, block),
        key="writes",
        hint="Click a cell to open its slot.",
        on_click=open_clicked_slot,
    )
    show(pictures.gates(trace, step - 1), key="gates")


def show(picture: Picture, *, key: str, hint: str = "", on_click: Callable[[], None] | None = None) -> None:
    """Draw a picture of a trace; ``hint`` says what a click does."""
    caption = f"{picture.caption} {hint}".strip()
    draw(picture.figure, key=key, alt=picture.alt, caption=caption, on_click=on_click)


def open_clicked_slot() -> None:
    """Go from a clicked cell to the history of its slot."""
    if st.session_state["writes"]["selection"]["points"]:
        choose_clicked("writes", column=SLOT)
        st.session_state[VIEW] = ONE_SLOT


def draw_reads(trace: Trace, block: int) -> None:
    """Where the question looks: its last word in every block and head, then every word in one block."""
    show(pictures.reads_of_last_word(trace), key="reads")
    show(pictures.reads_of_words(trace, block), key="reads_by_word")


def draw_bank(trace: Trace, step: int) -> None:
    """All slots before and after the sentence, and the difference, on one scale."""
    for name, picture in pictures.bank(trace, step - 1).items():
        show(picture, key=f"bank_{name}")


def draw_slot(trace: Trace, step: int, slot: int) -> None:
    """One slot through the story: when it was written to, and by which words most."""
    show(
        pictures.history(trace, slot),
        key="history",
        hint="Click a sentence to go there.",
        on_click=lambda: choose_clicked("history", column=STEP, offset=1),
    )
    st.markdown(f"Words that wrote most to slot {slot}, up to sentence {step}:")
    writers = select.top_writers(trace, slot, until=step)
    st.dataframe(
        {
            "word": [w.word for w in writers],
            "sentence": [w.segment + 1 for w in writers],
            "block": [w.block for w in writers],
            "write strength": [w.strength for w in writers],
        },
        hide_index=True,
        column_config={
            "write strength": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f")
        },
    )
