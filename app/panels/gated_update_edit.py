"""Gates of one slot moved by hand while one sentence is read, and what the model answers then."""

import streamlit as st

from app.loaders import traces
from app.panels.gated_update import Cell
from app.state import QUESTION, URL
from app.widgets.pickers import ShownStory, as_text, draw
from lm2core.errors import UserError
from lm2core.reading.answers import Answer
from lm2viz.causal.gate_edit import GateMove
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR, answer_bars
from lm2viz.figures.update import MOVED_COLOUR
from lm2viz.story.gated_update import control_slot

ASK_AT, SCOPE, INPUT, KEEP = "ask_at", "gates_of", "input_gate", "keep_gate"
CELL = "gated_cell"  # the cell the sliders stand for; not in the URL
THIS_BLOCK, EVERY_BLOCK = "This block", "Every block"
NOW, AT_END = "After this sentence", "At the end"
MOVED, OWN = "gates moved", "the model's own gates"
N_ANSWERS = 4


def pick_move(cell: Cell) -> GateMove | None:
    """Sliders that begin at the model's own gates; None while both stand there."""
    st.subheader("Move the gates")
    own_in, own_keep = cell.update.gates()
    here = (cell.model, cell.sentences, cell.step, cell.block, cell.slot)
    if st.session_state.setdefault(CELL, here) != here:
        st.session_state[CELL] = here
        _put_back(own_in, own_keep)
    left, right = st.columns(2, gap="medium")
    gate_in = left.slider("Input gate", 0.0, 1.0, own_in, 0.01, key=INPUT, bind=URL)
    keep = right.slider("Keep gate", 0.0, 1.0, own_keep, 0.01, key=KEEP, bind=URL)
    st.caption(
        f"The model's own, means over the width: input {own_in:.2f}, keep {own_keep:.2f}. A moved gate "
        "has one value in every dimension, while this one sentence is read."
    )
    left, right = st.columns([4, 3], vertical_alignment="bottom")
    scopes = [EVERY_BLOCK, THIS_BLOCK]
    scope = left.segmented_control("Move in", scopes, default=EVERY_BLOCK, required=True, key=SCOPE, bind=URL)
    right.button("Undo", icon=":material/undo:", key="undo", on_click=_put_back, args=(own_in, own_keep))
    move = GateMove(
        step=cell.step,
        slot=cell.slot,
        block=cell.block if scope == THIS_BLOCK else None,
        gate_in=None if gate_in == own_in else gate_in,
        keep=None if keep == own_keep else keep,
    )
    return move if move.edits() else None


def _put_back(own_in: float, own_keep: float) -> None:
    st.session_state[INPUT], st.session_state[KEEP] = own_in, own_keep


def draw_answers(story: ShownStory, cell: Cell, move: GateMove | None) -> Answer | None:
    """The answer with moved gates, beside the unmoved one and a control; returns that of the gates shown."""
    st.subheader("Ask")
    times = [NOW, AT_END]
    asked_at = st.segmented_control("When", times, default=NOW, required=True, key=ASK_AT, bind=URL)
    until = cell.step if asked_at == NOW else len(cell.sentences)
    suggested = story.suggestion(until)
    placeholder = suggested.text if suggested else "Where is Mary?"
    question = (
        st.text_input("Question", placeholder=placeholder, key=QUESTION, max_chars=200, bind=URL)
        or placeholder
    )
    try:
        own = traces.load_answer(cell.model, cell.sentences, until, question)
        if move is None:
            control = traces.load_answer(cell.model, cell.sentences, 0, question)
            draw_compared({OWN: own, "control: fresh bank": control})
        else:
            other = control_slot(cell.slot, cell.n_slots)
            moved, control = (
                traces.load_moved_answer(cell.model, cell.sentences, each, until, question)
                for each in (move, move.in_slot(other))
            )
            draw_compared({MOVED: moved, OWN: own, f"control: slot {other} instead": control})
            return moved
    except UserError as error:
        st.error(as_text(error))
        return None
    return own


def draw_compared(answers: dict[str, Answer]) -> None:
    """One line that says what was answered, and the bars; the last of ``answers`` is the control."""
    for name, answer in answers.items():
        st.markdown(f"**{as_text(answer.words[0])}** ({answer.probabilities[0]:.0%}) — {name}")
    words = list(dict.fromkeys(word for a in answers.values() for word in a.words[:N_ANSWERS]))[:N_ANSWERS]
    by_word = {name: dict(zip(a.words, a.probabilities, strict=True)) for name, a in answers.items()}
    draw(
        answer_bars(
            words,
            {name: [of[word] for word in words] for name, of in by_word.items()},
            colours=[MOVED_COLOUR, MODEL_COLOUR, CONTROL_COLOUR][-len(answers) :],
        ),
        key="moved_answers",
        alt=", ".join(f"{name}: {a.words[0]} {a.probabilities[0]:.0%}" for name, a in answers.items()),
        caption="A long bar: a sure answer. Where orange leaves blue and ochre does not, this slot mattered."
        if MOVED in answers
        else "A long blue bar: a sure answer. Ochre: the answer without the story. Move a gate and compare.",
    )
