"""Gates of one slot edited while one sentence is read, and what the model then answers."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import traces
from app.panels.gated_update import Cell
from app.state import URL
from app.widgets.pickers import as_text, draw, pick_question
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict
from lm2core.errors import UserError
from lm2core.reading.answers import Answer
from lm2core.traces.trace import Trace
from lm2viz.causal.gate_edit import GateEdit
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR, answer_bars
from lm2viz.figures.update import EDITED_COLOUR
from lm2viz.story.gated_update import control_slot
from lm2viz.story.verdicts import edit_in_words, update_in_words, written_instead

ASK_AT, SCOPE, INPUT, FORGET = "ask_at", "gates_of", "input_gate", "keep_gate"
CELL = "gated_cell"  # the cell that the sliders belong to; not in the URL
THIS_BLOCK, EVERY_BLOCK = "This block", "Every block"
NOW, AT_END = "After this sentence", "At the end"
EDITED, UNEDITED = "gates edited", "the model's gates"
N_ANSWERS = 4


def pick_gate_edit(cell: Cell) -> GateEdit | None:
    """Sliders that begin at the model's gates; None while both stay there."""
    st.subheader("Edit the gates")
    model_gate_in, model_keep = cell.update.gates()
    here = (cell.model, cell.sentences, cell.step, cell.block, cell.slot)
    if st.session_state.setdefault(CELL, here) != here:
        st.session_state[CELL] = here
        _reset_gates(model_gate_in, model_keep)
    left, right = st.columns(2, gap="medium")
    gate_in = left.slider("Input gate", 0.0, 1.0, model_gate_in, 0.01, key=INPUT, bind=URL)
    keep = right.slider("Forget gate (share kept)", 0.0, 1.0, model_keep, 0.01, key=FORGET, bind=URL)
    st.caption(
        f"The model's gates, means over the width: input {model_gate_in:.2f}, forget {model_keep:.2f}. An "
        "edited gate has the same value in every dimension, for this sentence only."
    )
    left, right = st.columns([4, 3], vertical_alignment="bottom")
    scopes = [EVERY_BLOCK, THIS_BLOCK]
    scope = left.segmented_control("Edit in", scopes, default=EVERY_BLOCK, required=True, key=SCOPE, bind=URL)
    right.button(
        "Undo", icon=":material/undo:", key="undo", on_click=_reset_gates, args=(model_gate_in, model_keep)
    )
    gate_edit = GateEdit(
        step=cell.step,
        slot=cell.slot,
        block=cell.block if scope == THIS_BLOCK else None,
        gate_in=None if gate_in == model_gate_in else gate_in,
        keep=None if keep == model_keep else keep,
    )
    return gate_edit if gate_edit.edits() else None


def _reset_gates(model_gate_in: float, model_keep: float) -> None:
    st.session_state[INPUT], st.session_state[FORGET] = model_gate_in, model_keep


def draw_answers(
    place: DeltaGenerator, trace: Trace, story: ShownStory, cell: Cell, gate_edit: GateEdit | None
) -> Answer | None:
    """The answers with and without edited gates, and a control; returns that of the gates as set."""
    st.subheader("Ask")
    times = [NOW, AT_END]
    st.segmented_control("When", times, default=NOW, required=True, key=ASK_AT, bind=URL)
    until = asked_after(cell)
    question = pick_question(story, until)
    try:
        unedited = traces.load_answer(cell.model, cell.sentences, until, question)
        if gate_edit is None:
            control = traces.load_answer(cell.model, cell.sentences, 0, question)
            draw_verdict(place, update_in_words(trace, cell.step - 1, cell.slot))
            draw_compared({UNEDITED: unedited, "control: fresh bank": control})
        else:
            other = control_slot(cell.slot, cell.n_slots)
            edited, control = (
                traces.load_gate_edit_answer(cell.model, cell.sentences, each, until, question)
                for each in (gate_edit, gate_edit.in_slot(other))
            )
            edited_trace = traces.load_gate_edit(cell.model, cell.sentences, gate_edit, cell.step).trace
            found = edit_in_words(edited, unedited, control, other)
            draw_verdict(place, f"{found} {written_instead(trace, cell.step - 1, edited_trace, cell.slot)}")
            draw_compared({EDITED: edited, UNEDITED: unedited, f"control: slot {other} instead": control})
            return edited
    except UserError as error:
        st.error(as_text(error))
        return None
    return unedited


def asked_after(cell: Cell) -> int:
    """After how many sentences the question is asked, as it was chosen."""
    return cell.step if st.session_state[ASK_AT] == NOW else len(cell.sentences)


def draw_compared(answers: dict[str, Answer]) -> None:
    """A line for each answer, and the bars; the last of ``answers`` is the control."""
    for name, answer in answers.items():
        st.markdown(f"**{as_text(answer.words[0])}** ({answer.probabilities[0]:.0%}) — {name}")
    words = list(dict.fromkeys(word for a in answers.values() for word in a.words[:N_ANSWERS]))[:N_ANSWERS]
    by_word = {name: dict(zip(a.words, a.probabilities, strict=True)) for name, a in answers.items()}
    draw(
        answer_bars(
            words,
            {name: [of[word] for word in words] for name, of in by_word.items()},
            colours=[EDITED_COLOUR, MODEL_COLOUR, CONTROL_COLOUR][-len(answers) :],
        ),
        key="edited_answers",
        alt=", ".join(f"{name}: {a.words[0]} {a.probabilities[0]:.0%}" for name, a in answers.items()),
        caption="A long bar: a sure answer. Where orange differs from blue and ochre does not, the slot "
        "matters."
        if EDITED in answers
        else "A long blue bar: a sure answer. Ochre: the answer without the story. Edit a gate and compare.",
    )
