"""Lesson on probes: how well one decodes a fact from a model that was never trained."""

from lm2core.reading.loaded_model import LoadedModel
from lm2viz.lessons.charts import Bars
from lm2viz.lessons.lesson import (
    Choice,
    Lesson,
    Measured,
    lesson_sample,
    measured_on,
)
from lm2viz.lessons.live import Live
from lm2viz.probes import SlotFacts, probe
from lm2viz.probes.scores import MAJORITY, PROBE, SHUFFLED, UNTRAINED

PERSON = "Mary"
FACT = f"place of {PERSON}"
N_PROBED = 150  # stories; a probe trained on fewer is weak, whatever it probes
QUESTION = f"Where is {PERSON}?"


def probe_person(lm: LoadedModel) -> SlotFacts:
    """Probes of every slot for the place of the person, with all controls."""
    sample = lesson_sample(N_PROBED)
    rows, control = (sample.rows(each) for each in sample.model_and_control(lm))
    return probe(rows, facts=[FACT], untrained=control)


def _without_fooling_yourself(lm: LoadedModel) -> Measured:
    result = probe_person(lm)
    names = {
        PROBE: "trained model",
        UNTRAINED: UNTRAINED,
        SHUFFLED: SHUFFLED,
        MAJORITY: "most frequent place",
    }
    return Measured(
        value=result.accuracy(FACT, UNTRAINED),
        control=result.accuracy(FACT, MAJORITY),
        of="Accuracy of the untrained model's best probe on stories it was not trained on",
        of_control="Always naming the most frequent place",
        chart=Bars(
            list(names.values()),
            {"probe of the best slot": [result.accuracy(FACT, name).value for name in names]},
            y_title="held-out accuracy",
        ),
        caption=f"Linear probes for the {FACT}. Every probe has its best slot, chosen on the training "
        "stories.",
        source=measured_on(lm, f"{N_PROBED} generated stories"),
        live=_live_probe(int(result.slot_of(FACT))),
    )


def _live_probe(slot: int) -> Live:
    """The first sentence about the person, with the card of the slot that the probe reads."""
    story, step = next(
        (number, s)
        for number, each in enumerate(lesson_sample().stories)
        for s, sentence in enumerate(each.sentences, start=1)
        if sentence.startswith(PERSON)
    )
    return Live(
        text=f"A probe of the trained model decodes the place of {PERSON} best from slot **{slot}**. Its "
        "card says how often a probe fitted on other stories is right, beside the untrained model and the "
        "most frequent place.",
        story=story,
        step=step,
        question=QUESTION,
        slot=slot,
    )


WITHOUT_FOOLING_YOURSELF = Lesson(
    title="Probing without fooling yourself",
    text="A **probe** is a small classifier that decodes a fact, here where Mary is, from a slot. Suppose "
    "the model was never trained: random weights, the same equations. It can answer nothing.",
    question="How often is the best probe of this untrained model right?",
    choices=(
        Choice("No more often than naming the most frequent place: under 25 %", 0.0, 0.25),
        Choice("Clearly more often: 25 % to 60 %", 0.25, 0.6),
        Choice("Nearly always: over 60 %", 0.6, 1.01),
    ),
    measure=_without_fooling_yourself,
    moral="Random weights carry words too, and a probe learns. A probe's accuracy means something only "
    "beside an untrained model, shuffled labels and a control task, on stories it was not trained on.",
)
