"""What a story has told by this sentence, beside what probes read from the bank."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.loaders.fact_probes import load_fact_probes, sample_to_learn
from app.panels.python_code import of_facts
from app.panels.reproduce import draw_reproduce
from app.widgets.pickers import ShownStory, as_text
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.probes.reading import FactProbe, decode_facts
from lm2viz.probes.scores import MAJORITY, UNTRAINED

COLUMNS = {  # with their widths in pixels: all fit beside the story
    "fact": (116, "Facts that the sentences so far have told."),
    "true": (74, "What they say."),
    "read": (92, "What a linear probe reads from its slot of the bank after this sentence."),
    "slot": (44, "Where the probe looks: the slot that was best on the stories it learnt from."),
    "held-out": (
        94,
        "Right readings on stories that neither probe nor slot was chosen on, with 95 % interval.",
    ),
    "controls": (
        92,
        "The same probes on a model that learnt nothing · always naming the commonest value.",
    ),
}


def draw_facts(model: str, story: ShownStory, trace: Trace, step: int) -> None:
    """A table of the facts known by now, with readings, scores and controls."""
    if not story.facts:
        st.info(
            "What is true in this story is known only to those who understand it: a sentence is none that "
            "bAbI's tasks tell. Choose **Generated** on the left for a story whose facts are known."
        )
        return
    if step == 0:
        st.info("No sentence has been read. Press **Next** to read the first one.")
        return
    try:
        message = f"Probes learn, once, to read facts from other stories of {story.task}"
        fact_probes = wait_for(message, load_fact_probes, model, story.task)
    except UserError as error:
        st.info(as_text(error))
        return
    known = story.facts[step - 1]
    if not known:
        st.info("These sentences have told no fact yet. Press **Next**.")
        return
    bank = trace.select("hook_bank", story=0, segment=step - 1)
    draw_table(decode_facts(fact_probes, bank, known), fact_probes)
    draw_reproduce(of_facts(model, story.sentences, step, sample_to_learn(story.task)))


def draw_table(table: pd.DataFrame, fact_probes: Mapping[str, FactProbe]) -> None:
    """One row a fact."""
    st.markdown(
        f"Known so far: {len(table)} facts, of which **{table['is_right'].sum():.0f}** are read right."
    )
    st.dataframe(
        {
            "fact": table["fact"],
            "true": table["true"],
            "read": [_read(row) for row in table.itertuples()],
            "slot": table["slot"],
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
        "✓: the slot's probe reads the fact. Held-out: how often such probes are right on other stories. "
        "Controls: on an untrained model · always the commonest value."
    )
    n_stories = max(fact_probe.n_stories for fact_probe in fact_probes.values())
    st.caption(
        f"Learnt from {n_stories} other stories of this task. What can be read need not be used: the page "
        "Interventions takes it away, the page Probes tells more."
    )


def _read(row: Any) -> str:
    """The value read, with its mark."""
    return "no probe" if pd.isna(row.read) else f"{'✓' if row.is_right else '✗'} {row.read}"


def _held_out(fact_probe: FactProbe | None) -> str:
    if fact_probe is None:
        return ""
    result = fact_probe.accuracy()
    return f"{result.value:.0%} ({100 * result.low:.0f}–{100 * result.high:.0f})"


def _controls(fact_probe: FactProbe | None) -> str:
    if fact_probe is None:
        return ""
    return " · ".join(f"{fact_probe.accuracy(name).value:.0%}" for name in (UNTRAINED, MAJORITY))
