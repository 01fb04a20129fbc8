"""The facts known by this sentence, beside what probes decode from the bank."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.loaders.fact_probes import load_fact_probes, load_used
from app.panels.python_code import of_facts
from app.panels.reproduce import draw_reproduce
from app.widgets.pickers import as_text
from app.widgets.shown_story import ShownStory
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.probes.reading import FactProbe, decode_facts
from lm2viz.probes.scores import MAJORITY, UNTRAINED
from lm2viz.stage.shipped import sample_of

COLUMNS = {  # with their widths in pixels: all fit beside the story
    "fact": (112, "Facts known from the sentences so far."),
    "true": (70, "Its value."),
    "decoded": (92, "What a linear probe decodes from its slot after this sentence."),
    "slot": (44, "The slot of the probe: the best one on its training stories."),
    "used": (
        46,
        "Whether answers about the fact use this slot: put into other stories, it makes them what they must "
        "become. Empty where no question asks for the fact.",
    ),
    "held-out": (
        94,
        "Accuracy on stories that neither the probe nor its slot was fitted to, with 95 % interval.",
    ),
    "controls": (
        84,
        "Accuracy of the same probes on an untrained model · of always naming the most frequent value.",
    ),
}


def draw_facts(model: str, story: ShownStory, trace: Trace, step: int) -> None:
    """A table of the facts known so far, with decoded values, accuracies and controls."""
    if not story.facts:
        st.info(
            "The facts of this story are unknown: it has a sentence that no bAbI task has. Choose "
            "**Generated** on the left for a story whose facts are known."
        )
        return
    if step == 0:
        st.info("No sentence has been read yet. Press **Next** to read the first one.")
        return
    try:
        message = f"Training probes, once, on other stories of {story.task}"
        fact_probes = wait_for(message, load_fact_probes, model, story.task)
        used = wait_for("Editing the slots of the probes, once", load_used, model, story.task)
    except UserError as error:
        st.info(as_text(error))
        return
    known = story.facts[step - 1]
    if not known:
        st.info("No fact is known from these sentences. Press **Next** to read another.")
        return
    bank = trace.select("hook_bank", story=0, segment=step - 1)
    draw_table(decode_facts(fact_probes, bank, known), fact_probes, used)
    draw_reproduce(of_facts(model, story.sentences, step, sample_of(story.task)))


def draw_table(table: pd.DataFrame, fact_probes: Mapping[str, FactProbe], used: Mapping[str, bool]) -> None:
    """One row per fact; ``used`` says of which the answers use the slot, as far as that is known."""
    st.markdown(
        f"Known so far: {len(table)} facts, of which **{table['is_right'].sum():.0f}** are decoded correctly."
    )
    st.dataframe(
        {
            "fact": table["fact"],
            "true": table["true"],
            "decoded": [_decoded(row) for row in table.itertuples()],
            "slot": table["slot"],
            "used": [_used(used.get(fact)) for fact in table["fact"]],
            "held-out": [_held_out(fact_probes.get(fact)) for fact in table["fact"]],
            "controls": [_controls(fact_probes.get(fact)) for fact in table["fact"]],
        },
        key="facts",
        hide_index=True,
        column_config={
            name: st.column_config.Column(width=width, help=text) for name, (width, text) in COLUMNS.items()
        },
    )
    st.caption(
        "✓: the slot's probe decodes the fact. Used: the answers take the fact from this slot. Held-out: "
        "accuracy of the probe on other stories. Controls: the same on an untrained model · always the most "
        "frequent value."
    )
    n_stories = max(fact_probe.n_stories for fact_probe in fact_probes.values())
    st.caption(
        f"Trained on {n_stories} other stories of this task. A fact that can be decoded need not be used; "
        "Probes asks this of every slot."
    )


def _decoded(row: Any) -> str:
    """The decoded value and whether it is right."""
    return "no probe" if pd.isna(row.read) else f"{'✓' if row.is_right else '✗'} {row.read}"


def _used(is_used: bool | None) -> str:
    return "" if is_used is None else "yes" if is_used else "no"


def _held_out(fact_probe: FactProbe | None) -> str:
    if fact_probe is None:
        return ""
    result = fact_probe.accuracy()
    return f"{result.value:.0%} ({100 * result.low:.0f}–{100 * result.high:.0f})"


def _controls(fact_probe: FactProbe | None) -> str:
    if fact_probe is None:
        return ""
    return " · ".join(f"{fact_probe.accuracy(name).value:.0%}" for name in (UNTRAINED, MAJORITY))
