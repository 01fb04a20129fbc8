"""Models trained alike that differ in one thing: what they answer, at which length, at what cost."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders.compare import load_comparison
from app.panels.reproduce import draw_reproduce, of_comparison
from app.state import URL
from app.widgets.pickers import draw
from app.widgets.verdict import draw_verdict
from lm2core.compare import published
from lm2core.errors import UserError
from lm2viz.compare.architectures import ARCHITECTURE, TESTS, Comparison, published_table

TEST, VARY = "test", "varied"
WHAT_IS_TESTED = (
    "All models were trained on qa1 stories (*Where is Mary?*) of up to 10 sentences. **Longer stories** "
    "asks about one of the last five statements: does the memory still work? **Noise after the facts** adds "
    "sentences about other people before the question: how long does the memory keep a fact? All models saw "
    "the same batches in the same order, for the same number of steps, with LM2's recipe, and have the same "
    "number of parameters. That recipe does not suit all: given stages that end when they are mastered, the "
    "Llama that sees the whole text learns these stories too, in more steps (docs/comparison/table.md). Two "
    "more questions of the paper: how many **blocks** need memory (fewer blocks, fewer parameters), and how "
    "many **slots**?"
)


def draw_architectures(place: DeltaGenerator) -> None:
    """What a memory is good for: models trained alike, over lengths."""
    try:
        comparison = load_comparison()
    except UserError as error:
        st.info(str(error))
        st.stop()
    st.markdown(WHAT_IS_TESTED)
    left, right = st.columns(2)
    with left:
        varied = st.segmented_control(
            "What differs", comparison.varied, default=ARCHITECTURE, required=True, key=VARY, bind=URL
        )
    with right:
        test = st.segmented_control("Test", TESTS, default=TESTS[0], required=True, key=TEST, bind=URL)
    draw_verdict(place, comparison.summary(test))
    draw_accuracy(comparison, test, varied)
    if varied == ARCHITECTURE:
        draw_verdicts(comparison, test)
    draw_perplexity(comparison)
    draw_bank_change(comparison)
    draw_reproduce(of_comparison(test, varied))
    draw_published()


def draw_accuracy(comparison: Comparison, test: str, varied: str) -> None:
    """Accuracy over length of all models that differ in one thing."""
    summary_text = f" {comparison.summary(test)}" if varied == ARCHITECTURE else ""
    draw(
        comparison.figure(test, varied),
        key="accuracy",
        alt=f"Accuracy by model and number of sentences, beside answers without a model.{summary_text}",
        caption=f"Each point is a mean over {comparison.how_measured(test, varied)}; its bar is the 95 % "
        "interval, wide where there are few seeds. Grey lines: accuracy without a model.",
    )
    if comparison.n_missing:
        st.caption(f"{comparison.n_missing} of {comparison.n_runs} planned runs have no result yet.")


def draw_verdicts(comparison: Comparison, test: str) -> None:
    """LM2 minus each other model; decided when the whole interval lies on one side of 0."""
    st.subheader("Is LM2 ahead?")
    rows = comparison.verdicts(test)
    st.dataframe(
        rows[["model", "x", "difference", "low", "high", "verdict"]],
        hide_index=True,
        column_config={
            "x": "sentences",
            "difference": st.column_config.NumberColumn("LM2 minus model", format="percent"),
            "low": st.column_config.NumberColumn("95 % low", format="percent"),
            "high": st.column_config.NumberColumn("95 % high", format="percent"),
        },
    )
    st.caption("Paired by seed. A difference is decided when its whole interval lies on one side of 0.")


def draw_perplexity(comparison: Comparison) -> None:
    """The cost of a memory where it is not needed."""
    st.subheader("Does a memory hurt where it is not needed?")
    st.dataframe(
        comparison.perplexity[
            ["model", "mean", "low", "high", "n_seeds", "perplexity_of_frequencies", "verdict"]
        ],
        hide_index=True,
        column_config={
            "mean": st.column_config.NumberColumn("perplexity", format="%.1f"),
            "low": st.column_config.NumberColumn("95 % low", format="%.1f"),
            "high": st.column_config.NumberColumn("95 % high", format="%.1f"),
            "n_seeds": "seeds",
            "verdict": "LM2 compared with it",
            "perplexity_of_frequencies": st.column_config.NumberColumn(
                "baseline: token frequencies", format="%.0f"
            ),
        },
    )
    st.caption("Plain text (Python's help topics), held-out tokens; lower is better.")


def draw_bank_change(comparison: Comparison) -> None:
    """How much the bank changes while the model reads on, and whether noise changes it less than facts."""
    st.subheader("How much does the bank change while the model reads?")
    percent: Any = st.column_config.NumberColumn(format="%.2f%%")
    rows = comparison.bank_change.copy()
    shares = {"mean": "LM2", "low": "95 % low", "high": "95 % high", "untrained": "untrained LM2"}
    rows[list(shares)] *= 100
    st.dataframe(
        rows.rename(columns=shares),
        hide_index=True,
        column_config=dict.fromkeys(shares.values(), percent),
    )
    st.caption(
        "Relative change of the bank per token after the first ten sentences of a story: when the story "
        "continues (statements), when it is about people nobody asks about (noise), and when its last "
        "sentence is repeated (repeats). Intervals are over seeds."
    )


def draw_published() -> None:
    """The paper's numbers, which cannot be compared with ours."""
    with st.expander("What the paper published, and where it contradicts itself"):
        st.markdown(published.NOT_COMPARABLE)
        st.dataframe(published_table(), hide_index=True)
        st.caption(
            "BABILong, mean of qa1 to qa10, percent; lengths in tokens (arXiv 2502.06049, tables 1, 3)."
        )
        for text in published.CONTRADICTIONS:
            st.markdown(f"- {text}")
