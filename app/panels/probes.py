"""What probes find: the matrix and the best slots, accuracy by age, one fact with its own probe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import probes
from app.panels.reproduce import draw_reproduce, of_age, of_one_fact
from app.state import URL
from app.widgets.erase import erase_button, question_about
from app.widgets.pickers import as_text, draw
from app.widgets.tables import readable
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2viz.figures.slot_facts import accuracy_matrices, accuracy_points
from lm2viz.probes import SlotFacts
from lm2viz.probes.by_fact import MEANING, best_slots
from lm2viz.probes.samples import Slot
from lm2viz.probes.scores import CONTROL_TASK, PROBE, SHUFFLED, UNTRAINED, probe_in_words
from lm2viz.sample.story_sample import StorySample

VIEW, FACT, SLOT, BESIDE, POOLED = "probes_view", "fact", "probe_slot", "beside", "all_facts"
CODE, LEARNING = "code_length", "learning_curve"
MATRIX, AGE, ONE, USER_LABELS = "Slots and facts", "Age", "One fact", "Your labels"
BEST, BANK = "best", "bank"


@dataclass(frozen=True)
class ProbeTarget:
    """Which stories are probed, read by which model), for which fact and slot."""

    model: str
    sample: StorySample
    fact: str
    slot: Slot

    @property
    def slot_name(self) -> str:
        """The slot in words."""
        return {BEST: "the best slot", BANK: "the whole bank"}.get(str(self.slot), f"slot {self.slot}")


def draw_matrix(result: SlotFacts, *, key: str, on_click: Callable[[], None] | None = None) -> None:
    """The accuracy of every slot for every fact, a control below it, and the best slots."""
    names = list(MEANING)
    beside = st.segmented_control("Control", names, default=names[0], required=True, key=BESIDE, bind=URL)
    draw(
        accuracy_matrices(
            {"Probe of this model": result.matrix(), f"Control: {beside}": result.matrix(beside)},
            facts=result.facts,
        ),
        key=key,
        alt="Accuracy by fact and slot; best slots: "
        + ", ".join(f"{fact} slot {result.slot_of(fact)}" for fact in result.best),
        caption="Bright: a linear probe decodes the fact from this slot alone, in stories that it was not "
        f"trained on. Control: {MEANING[beside]}."
        + (" Click a cell to look closer." if on_click else "")
        + (" Empty: too few stories or values." if len(result.best) < len(result.facts) else ""),
        on_click=on_click,
    )
    st.markdown("**The best slot for each fact**, chosen on the training stories and scored on the others")
    table = best_slots(result)
    shares = ["accuracy", *(name for name in MEANING if name in table)]
    st.dataframe(
        table,
        hide_index=True,
        column_config=_two_digits(*shares) | {"selectivity": st.column_config.NumberColumn(format="%+.2f")},
    )
    st.caption(
        "Folds: how many of them chose this slot. Every control chooses its own best slot. Selectivity: "
        "accuracy minus that of the control task. Intervals are over stories. A fact that can be decoded "
        "need not be used: see Interventions."
    )
    with st.expander("What the controls are"):
        st.markdown("\n".join(f"- **{name}**: {meaning}" for name, meaning in MEANING.items()))


def _two_digits(*names: str) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(format="%.2f") for name in names}


def draw_age(place: DeltaGenerator, probe_target: ProbeTarget, n_facts: int) -> None:
    """How accuracy falls with the age of the fact."""
    pooled = st.toggle(f"Pool all {n_facts} facts", key=POOLED, bind=URL)
    fact = None if pooled else probe_target.fact
    result = wait_for(
        "Probing by age", probes.load_decay, probe_target.model, probe_target.sample, fact, probe_target.slot
    )
    first, last = result.bins[0], result.bins[-1]
    draw_verdict(place, result.verdict)
    of = "all facts" if pooled else as_text(probe_target.fact)
    draw(
        result.figure(),
        key="decay",
        alt=f"Accuracy for {of} by age: {first.accuracy[PROBE].value:.0%} at {first.name}, "
        f"{last.accuracy[PROBE].value:.0%} at {last.name} sentences; "
        f"untrained model {first.accuracy[UNTRAINED].value:.0%} and {last.accuracy[UNTRAINED].value:.0%}",
        caption=f"Probe of {probe_target.slot_name} for {of}. Further right: facts stated longer ago. "
        "Where the blue line falls to the ochre one, the fact is gone; where it is no higher than the green "
        "one, random weights carry it as well. Bars: 95 % intervals over stories.",
    )
    table = readable(result.table())
    shares = [name for name in table if table[name].dtype == float]
    st.dataframe(table, hide_index=True, column_config=_two_digits(*shares))
    draw_reproduce(of_age(probe_target.model, probe_target.sample, fact, probe_target.slot))


def draw_one(place: DeltaGenerator, probe_target: ProbeTarget) -> None:
    """One fact decoded from one slot: accuracy with controls, code length, learning curve."""
    scores = wait_for(
        "Probing",
        probes.load_scores,
        probe_target.model,
        probe_target.sample,
        probe_target.fact,
        probe_target.slot,
    )
    names = [name for name in (PROBE, *MEANING) if name in scores.hits]
    result = {name: scores.estimate(name) for name in names}
    selectivity = scores.estimate(PROBE, minus=CONTROL_TASK)
    where = f"slot {scores.most_chosen}" if scores.slots else probe_target.slot_name
    draw_verdict(place, probe_in_words(probe_target.fact, where, result[PROBE], result[UNTRAINED]))
    st.markdown(
        f"A probe of **{probe_target.slot_name}** decodes the **{as_text(probe_target.fact)}** correctly "
        f"after **{as_text(result[PROBE].as_share())}** of sentences."
    )
    chosen = ", ".join(map(str, scores.slots))
    draw(
        accuracy_points(result),
        key="one_probe",
        alt="; ".join(f"{name} {estimate.as_share()}" for name, estimate in result.items()),
        caption="The further the probe is to the right of its controls, the more it says about the model. "
        f"Selectivity {selectivity}." + (f" Slots chosen in the folds: {chosen}." if chosen else ""),
    )
    if st.toggle("Code length: how many bits the fact takes, given the slot", key=CODE, bind=URL):
        _draw_codelength(probe_target)
    if st.toggle("Learning curve: how many stories the probe needs", key=LEARNING, bind=URL):
        _draw_learning(probe_target)
    st.caption(
        "Both take seconds, for the whole bank up to a minute. A fact that can be decoded need not be used:"
    )
    slot = scores.most_chosen if scores.slots else probe_target.slot
    if isinstance(slot, int):
        task = str(probe_target.sample.source)
        erase_button(probe_target.model, slot, question_about(probe_target.fact), task=task)
    draw_reproduce(of_one_fact(probe_target.model, probe_target.sample, probe_target.fact, probe_target.slot))


def _draw_codelength(probe_target: ProbeTarget) -> None:
    message = "Measuring code lengths"
    result = wait_for(
        message,
        probes.load_codelength,
        probe_target.model,
        probe_target.sample,
        probe_target.fact,
        probe_target.slot,
    )
    draw(
        result.figure(),
        key="codelength",
        alt=result.summary(),
        caption=f"The probe makes the code {result.compression()} times shorter than the uniform code; "
        f"in an untrained model {result.compression(UNTRAINED)} times, with shuffled labels "
        f"{result.compression(SHUFFLED)} times. Short bars are better.",
    )


def _draw_learning(probe_target: ProbeTarget) -> None:
    message = "Training probes on more and more stories"
    result = wait_for(
        message,
        probes.load_learning,
        probe_target.model,
        probe_target.sample,
        probe_target.fact,
        probe_target.slot,
    )
    draw(
        result.figure(),
        key="learning",
        alt=result.summary(),
        caption="High on the left: the fact is easy to decode. Rising slowly: the probe does the work, as it "
        "does where the green line, an untrained model, rises too.",
    )


def open_clicked(chart: str, facts: tuple[str, ...], n_slots: int) -> None:
    """Go from a clicked cell to its fact and slot."""
    points = st.session_state[chart]["selection"]["points"]
    if points:
        slot = int(points[0]["x"])
        st.session_state[FACT] = facts[int(points[0]["y"])]
        st.session_state[SLOT] = BANK if slot == n_slots else str(slot)
        st.session_state[VIEW] = ONE
