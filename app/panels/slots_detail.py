"""One slot in words: what writes to it and reads it, and a tested explanation of what it holds."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import slots
from app.panels.reproduce import draw_reproduce, of_contexts, of_explanations
from app.widgets.pickers import draw
from app.widgets.tables import interval, readable
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2viz.sample.story_sample import StorySample
from lm2viz.slots.contexts import READS, WRITES
from lm2viz.slots.explanations import SlotExplanation
from lm2viz.slots.held_out import NOTHING_VARIES

INTERVALS = "Lines are 95 % intervals over stories."


def draw_contexts(place: DeltaGenerator, model: str, sample: StorySample, slot: int) -> None:
    """Words that write to the slot, questions that read it, and the strongest sentences."""
    st.subheader(f"Slot {slot}: what writes to it and what reads it")
    message = f"Reading {sample.describe()} and asking their questions, word by word"
    result = wait_for(message, slots.load_contexts, model, sample)
    draw_verdict(place, result.verdict(slot))
    of_slot = (*result.of(slot, WRITES), *result.of(slot, READS))
    draw(
        replace(result, strengths=of_slot).figure(),
        key="contexts",
        alt=f"Slot {slot}: " + "; ".join(f"{one.kind} {one.text}, {one.strength}" for one in of_slot),
        caption="A long blue bar, away from its mark: this word writes to, or this question reads, this slot "
        f"more than others. {INTERVALS} Chosen on half of the stories, measured on the others.",
    )
    st.dataframe(
        {
            "kind": [one.kind for one in of_slot],
            "text": [one.text for one in of_slot],
            "stories": [one.strength.n for one in of_slot],
            "strength": [one.strength.value for one in of_slot],
            "95 % interval": [interval(one.strength) for one in of_slot],
            "in the other slots": [one.in_other_slots.value for one in of_slot],
            "95 % interval there": [interval(one.in_other_slots) for one in of_slot],
            "compared": [one.compared for one in of_slot],
            "p": [one.p for one in of_slot],
        },
        hide_index=True,
        width="stretch",
    )
    st.caption(
        "Strength: share of the slot's update (or of the read) times the gate, 0 to 1; in the other slots: "
        "the mean of theirs; p: sign-flip test that both are equal."
    )
    for kind, title in ((WRITES, "Sentences that wrote most"), (READS, "Questions that read most")):
        st.markdown(f"**{title}**")
        by_slot = result.contexts.get(kind)
        st.text("\n".join(map(str, by_slot[slot])) if by_slot and by_slot[slot] else "none")
    st.caption("In brackets the word, and then its strength. No sentence is listed twice.")
    draw_reproduce(of_contexts(model, sample))


def draw_explanations(place: DeltaGenerator, model: str, sample: StorySample, slot: int) -> None:
    """The best fact of the slot with its controls, then all slots ranked."""
    st.subheader(f"Slot {slot}: what explains it")
    message = f"Explaining every slot on {sample.describe()}"
    result = wait_for(message, slots.load_explanations, model, sample)
    draw_verdict(place, result.of(slot).verdict)
    draw_controls(result.of(slot))
    st.subheader("All slots, best explained first")
    st.text(f"{result.about}\n{result.finding}")
    draw(
        result.figure(),
        key="explanations",
        alt=f"Score of the best fact of every slot, with controls. {result.finding}",
        caption="A long blue bar, away from all its marks: the fact explains what the slot holds. "
        f"{INTERVALS} A fact that a slot holds need not be used: see Interventions.",
    )
    st.dataframe(readable(result.table()), hide_index=True, width="stretch")
    st.caption(
        "Score: correlation of the fact with the slot's content on held-out stories. Explained: share of the "
        "variance. Intervals are over stories."
    )
    draw_reproduce(of_explanations(model, sample))


def draw_controls(result: SlotExplanation) -> None:
    """One slot's scores with the controls."""
    if result.name == NOTHING_VARIES:
        st.info("There is nothing to explain in this slot. Choose another one.")
        return
    estimates = {
        "score: correlation": result.score,
        "explained share of variance": result.explained,
        "control: stories exchanged": result.shuffled,
        "control: a random other fact": result.random_fact,
        "control: a random other slot": result.random_slot,
    }
    known = {name: e for name, e in estimates.items() if e.n}
    st.dataframe(
        {
            "measure": list(known),
            "value": [e.value for e in known.values()],
            "95 % interval": [interval(e) for e in known.values()],
            "stories": [e.n for e in known.values()],
        },
        hide_index=True,
        width="stretch",
    )
