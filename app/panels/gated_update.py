"""A slot's update with its numbers, one word's part in it, and who writes to and reads each slot."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.loaders import traces
from app.panels.story_memory import pick_block
from app.state import SLOT, URL, clamp_state
from app.widgets.pickers import draw
from lm2core.reading.answers import Answer
from lm2core.traces.trace import Trace
from lm2viz.causal.gate_edit import GateEdit
from lm2viz.figures.update import part_bars, routes
from lm2viz.story import gated_update, pictures, select

WORD, DIM = "word", "dim"
N_DIMS = 8


@dataclass(frozen=True)
class Cell:
    """What was chosen: one slot in one block while sentence ``step`` is read, and one dimension."""

    model: str
    sentences: tuple[str, ...]
    step: int
    block: int
    slot: int
    dim: int
    n_slots: int
    update: gated_update.SlotUpdate


def pick_cell(model: str, sentences: tuple[str, ...], trace: Trace, step: int) -> Cell:
    """Choose block, slot and dimension; by default those that the sentence changed most."""
    n_slots, n_dims = trace.select("hook_bank", story=0, segment=0).shape
    columns = st.columns([2, 2, 2, 4], vertical_alignment="bottom")
    with columns[0]:
        block = pick_block(trace, disabled=False)
    strongest = gated_update.most_changed_slot(trace, step - 1)
    clamp_state(SLOT, 0, n_slots - 1)
    slot = int(columns[1].number_input("Slot", 0, n_slots - 1, strongest, key=SLOT, bind=URL))
    update = gated_update.slot_update(trace, step - 1, block, slot)
    clamp_state(DIM, 0, n_dims - 1)
    dim = columns[2].number_input("Dimension", 0, n_dims - 1, update.most_changed_dim(), key=DIM, bind=URL)
    if slot != strongest:
        columns[3].button(
            f"Go to slot {strongest} (changed most)",
            icon=":material/trending_up:",
            key="to_strongest",
            on_click=_go_to,
            args=(strongest, gated_update.slot_update(trace, step - 1, block, strongest).most_changed_dim()),
        )
    return Cell(model, sentences, step, block, slot, int(dim), n_slots, update)


def _go_to(slot: int, dim: int) -> None:
    """Open another slot and one of its dimensions."""
    st.session_state[SLOT], st.session_state[DIM] = slot, dim


def draw_slot_update(cell: Cell, gate_edit: GateEdit | None) -> None:
    """The sum with its numbers, the check against the trace, and the sum with edited gates."""
    st.subheader(f"Slot {cell.slot} in block {cell.block}")
    st.latex(gated_update.update_latex(cell.update, cell.slot, cell.dim))
    parts = {
        "before: M": cell.update.before,
        "retained: keep · M": cell.update.retained,
        "written: w": cell.update.write,
        "after: M′": cell.update.after,
    }
    edited = None
    if gate_edit is not None:
        trace = traces.load_gate_edit(cell.model, cell.sentences, gate_edit, cell.step).trace
        edited = gated_update.slot_update(trace, 0, cell.block, cell.slot)
        parts["after, gates edited"] = edited.after
        st.markdown("With the gates edited:")
        st.latex(gated_update.update_latex(edited, cell.slot, cell.dim))
    st.caption(
        "Check, in all dimensions: keep · M + w differs from the recorded M′ by at most "
        f"{cell.update.error():.1e}"
        + (f"; with the gates edited, by {edited.error():.1e}." if edited else ".")
    )
    draw(
        part_bars(parts, dims=cell.update.most_changed_dims(N_DIMS, with_dim=cell.dim)),
        key="parts",
        alt=f"Slot {cell.slot} before and after the sentence in the {N_DIMS} dimensions that changed most",
        caption=f"The {N_DIMS} dimensions that changed most, including the chosen one. "
        "Light blue plus green is dark blue.",
    )
    draw_table(gated_update.slot_table(cell.update, cell.dim, edited))


def draw_bank_difference(trace: Trace, cell: Cell, gate_edit: GateEdit) -> None:
    """How edited gates change the other slots too: later blocks read what was written."""
    edited = traces.load_gate_edit(cell.model, cell.sentences, gate_edit, cell.step).trace
    picture = pictures.bank_difference(trace, cell.step - 1, edited, 0)
    draw(picture.figure, key="bank_edited", alt=picture.alt, caption=picture.caption)


def draw_word(cell: Cell, words: list[str]) -> None:
    """Choose a word of the sentence and see what it contributes to the slot."""
    st.subheader("What one word contributes")
    if st.session_state.get(WORD, words[0]) not in words:
        del st.session_state[WORD]  # a word of another sentence
    word = st.selectbox("Word", words, cell.update.strongest_token(), key=WORD, bind=URL)
    token = words.index(word)
    st.latex(gated_update.write_latex(cell.update, token, cell.dim))
    st.latex(gated_update.forget_latex(cell.update, token, cell.dim))
    st.caption(
        f"Word {token} in dimension {cell.dim} of slot {cell.slot}. R: the word's share of the slot, the "
        "same in every dimension. Words that write to the same slot divide it between them."
    )
    draw_table(gated_update.word_table(cell.update, token, cell.dim))


def draw_table(table: dict[str, list[Any]]) -> None:
    """Numbers with three decimals."""
    numbers: Any = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(table, hide_index=True, column_config={name: numbers for name in list(table)[1:]})
    st.caption("Over the width: gates are means, contents are norms.")


def draw_routes(trace: Trace, cell: Cell, answer: Answer, gate_edit: GateEdit | None) -> None:
    """Which slot each word writes to and which the question reads, with the gates as they are set."""
    st.subheader("Who writes to which slot, and who reads it")
    segment, shown = cell.step - 1, "" if gate_edit is None else ", with the gates edited"
    if gate_edit is not None:
        trace, segment = traces.load_gate_edit(cell.model, cell.sentences, gate_edit, cell.step).trace, 0
    writes = select.write_strength(trace, segment, cell.block)
    reads = select.read_by_token(answer.trace, cell.block, head=None)
    words, question_words = select.words_of(trace, segment), select.words_of(answer.trace, 0)
    draw(
        routes(words, writes, question_words, reads, slot=cell.slot),
        key="routes",
        alt=f"Block {cell.block}: words of the sentence to slots, strongest {writes.max():.2f}; "
        f"slots to words of the question, strongest {reads.max():.2f}",
        caption=f"Block {cell.block}{shown}. Blue, left: write strength of the sentence's words. Green, "
        "right: attention of the question's words, mean over heads. Wide is strong; under 0.03 is not drawn.",
    )
