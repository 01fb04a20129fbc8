"""A counterfactual pair: both sides, what differs, and what the model answers to each."""

from typing import Any, NamedTuple

import streamlit as st

from app.loaders import causal, traces
from app.state import QUESTION
from app.widgets.pickers import as_text, open_story
from app.widgets.waiting import wait_for
from lm2core.babi.counterfactual import Counterfactual
from lm2viz.causal.pair_text import LEGEND, pair_lines


class PairChoice(NamedTuple):
    """Which pair, and the model that reads it."""

    model: str
    task: str
    kind: str
    seed: int

    def of(self, n: int) -> tuple[str, str, str, int, int]:
        """The arguments of a loader for ``n`` pairs, of which this is the first."""
        return self.model, self.task, self.kind, n, self.seed


def draw_pair(pair_choice: PairChoice, pair: Counterfactual) -> None:
    """Both sides, the answers to them, and a placebo on request."""
    sides = zip(
        st.columns(2, gap="large"),
        ("Original", "Edited"),
        pair_lines(pair),
        (pair.sentences, pair.edited),
        strict=True,
    )
    for column, name, lines, sentences in sides:
        with column:
            st.subheader(name)
            with st.container(border=True):
                st.text("\n".join(lines))
            if st.button(
                "Open on the Story page", icon=":material/menu_book:", key=f"open_{name}", type="tertiary"
            ):
                open_story(sentences, {QUESTION: pair.question})
    st.caption(LEGEND)
    draw_answers(pair_choice.model, pair)
    with st.expander("One of the placebos"):
        draw_placebo(pair_choice)


def draw_answers(model: str, pair: Counterfactual) -> None:
    """The right answers, the model's on both sides, and as control its answer from a fresh bank."""
    original, edited, fresh = (
        wait_for("Reading both sides", traces.load_answer, model, sentences, step, pair.question)
        for sentences, step in (
            (pair.sentences, len(pair.sentences)),
            (pair.edited, len(pair.edited)),
            (pair.sentences, 0),
        )
    )
    right, answered = (pair.answer, pair.edited_answer), (original.words[0], edited.words[0])
    st.markdown(f"**{as_text(pair.question)}**")
    share: Any = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        {
            "story": ["original", "edited", "control: fresh bank"],
            "right answer": [*right, ""],
            "model answers": [*answered, fresh.words[0]],
            "probability": [a.probabilities[0] for a in (original, edited, fresh)],
        },
        hide_index=True,
        width="content",
        column_config={"probability": share},
    )
    if right != answered:
        st.warning(
            "The model does not answer both sides correctly, so what is measured on this pair says little."
        )


def draw_placebo(pair_choice: PairChoice) -> None:
    """An edit that leaves the answer as it is."""
    (placebo,) = causal.load_pairs(pair_choice.task, causal.PLACEBO, 1, pair_choice.seed)
    for column, lines in zip(st.columns(2, gap="large"), pair_lines(placebo), strict=True):
        column.text("\n".join(lines))
    st.markdown(f"**{as_text(placebo.question)}** The answer to both sides: **{as_text(placebo.answer)}**.")
