"""Lessons about claims: what a probe shows, and why a fact that can be decoded need not be used."""

from math import nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.lessons.lesson import (
    N_STORIES,
    Choice,
    Lesson,
    Measured,
    describe_sample,
    lesson_sample,
)
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.running import ask_banks, run
from lm2viz.estimates import Estimate
from lm2viz.figures.bars import paired_bars
from lm2viz.figures.points import named_points
from lm2viz.probes import SlotFacts, probe
from lm2viz.probes.scores import MAJORITY, PROBE, SHUFFLED, UNTRAINED
from lm2viz.progress import track

PERSON = "Mary"
FACT = f"place of {PERSON}"
N_PROBED = 150  # stories; a probe trained on fewer is weak, whatever it probes
DECODABLE = 0.05  # accuracy above that of shuffled labels
NEEDED = 0.02  # of the questions about the person


def _probes(lm: LoadedModel) -> SlotFacts:
    sample = lesson_sample(N_PROBED)
    rows, control = (sample.rows(each) for each in sample.model_and_control(lm))
    return probe(rows, facts=[FACT], untrained=control)


def _without_fooling_yourself(lm: LoadedModel) -> Measured:
    result = _probes(lm)
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
        figure=paired_bars(
            list(names.values()),
            {"probe of the best slot": [result.accuracy(FACT, name).value for name in names]},
            x_title="",
            y_title="held-out accuracy",
        ),
        caption=f"Linear probes for the {FACT}. Every probe has its best slot, chosen on the training "
        "stories.",
        source=describe_sample(f"{N_PROBED} generated stories"),
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


def _drops(lm: LoadedModel) -> NDArray[Any]:
    """How many more questions about the person are wrong without a slot's content, (n_slots,) in [-1, 1].

    The slot is zeroed in the bank that the question is asked of.
    """
    stories = lesson_sample().stories
    texts = [question.text for story in stories for question in story.questions]
    is_asked = np.array([PERSON in text for text in texts])
    clean = run(lm, stories)

    def accuracy(banks: Tensor) -> float:
        answered = ask_banks(lm, texts, banks).argmax(-1)
        return float((answered == clean.answer_ids).numpy()[is_asked].mean())

    slots = torch.arange(lm.model.config.memory_slots)
    without = [
        accuracy(clean.question_banks.masked_fill((slots == slot)[:, None], 0.0))
        for slot in track(slots, "zeroing slots", "slot")
    ]
    return accuracy(clean.question_banks) - np.array(without)


def _share_of_slots(chosen: NDArray[np.bool_]) -> Estimate:
    """No interval, since the slots of one model are not independent; NaN where there are none."""
    return Estimate(float(chosen.mean()) if chosen.size else nan, nan, nan, chosen.size)


def _cause_and_correlation(lm: LoadedModel) -> Measured:
    result, drops = _probes(lm), _drops(lm)
    probe, shuffled = (result.matrix(name)[:-1, 0] for name in (PROBE, SHUFFLED))
    is_decodable, is_needed = probe > shuffled + DECODABLE, drops > NEEDED
    return Measured(
        value=_share_of_slots(~is_needed[is_decodable]),
        control=_share_of_slots(~is_needed[~is_decodable]),
        of="Of the slots from which a probe decodes the fact, those that the answers do not need",
        of_control="Of all other slots",
        figure=named_points(
            probe,
            drops,
            names=[str(slot) for slot in range(len(probe))],
            x_title=f"probe: accuracy for the {FACT}",
            y_title=f"answers about {PERSON} lost without the slot",
            x_control=("shuffled labels", float(shuffled.mean())),
        ),
        caption="Each point is a slot. Further right: a probe decodes the fact there. Higher: the model "
        f"needs the slot. Needed: more than {NEEDED:.0%} of the answers about {PERSON} are lost without it. "
        "The slots of one model are not a sample, so the shares have no interval.",
        source=describe_sample(f"{N_PROBED} generated stories for the probes, {N_STORIES} for the answers"),
    )


CAUSE_AND_CORRELATION = Lesson(
    title="Cause and correlation",
    text="A probe may decode where Mary is from several slots. To see which of them the model uses, set each "
    "slot to zero in turn, just before asking about Mary.",
    question="Of the slots from which the fact can be decoded, how many can be emptied without losing "
    "answers?",
    choices=(
        Choice("None: what can be decoded is used", 0.0, 0.05),
        Choice("Up to two thirds of them", 0.05, 0.67),
        Choice("More than two thirds of them", 0.67, 1.01),
    ),
    measure=_cause_and_correlation,
    moral="That a fact can be decoded is correlation; that answers change when it is removed is cause. Only "
    "an intervention shows the second. The page Interventions compares it with placebos.",
)
