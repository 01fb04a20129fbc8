"""Whether the answers use what the slots hold: every slot edited for every fact, beside its probe."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import probes
from app.panels.reproduce import draw_reproduce, of_use
from app.widgets.measure_button import measure_button
from app.widgets.measured import draw_finding, wait_for_finding
from lm2viz.causal.slot_use import BOTH, NEITHER, SlotUse
from lm2viz.sample.story_sample import StorySample

HINT = (
    "A fact that a probe decodes need not be **used**. Press **Measure** to put every slot of another story "
    "into each story and ask again: does the answer become what it must, and do the other answers stay? It "
    "takes about ten seconds for four people, half a minute with things."
)


def draw_use(place: DeltaGenerator, model: str, sample: StorySample, facts: tuple[str, ...]) -> None:
    """The table of slots and facts with a word for each, once it is measured; its verdict leads the page."""
    st.subheader("Decoded, and used?")
    if not measure_button("use", model, sample.source, len(sample.stories), key="use_button", hint=HINT):
        return
    result = wait_for_finding(place, "Editing every slot", probes.load_use, model, sample, facts)
    if result is None:
        return
    draw_finding(
        result,
        key="use",
        caption="Blue: a probe decodes the fact from this slot, and the answer goes with the slot when it is "
        "put into another story. Yellow: decoded, but the answers do not go with it. Point at a cell for its "
        "numbers. Corrected for the number of cells (Benjamini-Hochberg).",
    )
    _draw_table(result)
    draw_reproduce(of_use(model, sample))


def _draw_table(result: SlotUse) -> None:
    """The cells of which something is shown, those that are used first."""
    table = result.table()
    shown = table[table["verdict"] != NEITHER].assign(is_used=lambda cells: cells["verdict"] == BOTH)
    shown = shown.sort_values(["is_used", "interchange"], ascending=False)
    shares = ("probe", "selectivity", "zero", "resample", "interchange", "isolation")
    st.dataframe(
        shown[["fact", "slot", "verdict", *shares, "n_pairs"]].rename(columns={"n_pairs": "pairs"}),
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in shares},
    )
    st.caption(
        "Probe: held-out accuracy. Zero, resample: share of answers that change when the slot is zero, or "
        "another story's. Interchange: share that become what they must. Isolation: share of the answers "
        "about everything else that stay. What several slots do together is not in this table: "
        "`lm2 interchange --search`."
    )
