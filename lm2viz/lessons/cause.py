"""Lesson on causes: a fact that can be decoded from a slot need not be read from it."""

from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.running import ask_banks, question_texts, run
from lm2viz.estimates import Estimate
from lm2viz.lessons.charts import Points
from lm2viz.lessons.lesson import N_STORIES, Choice, Lesson, Measured, lesson_sample, measured_on
from lm2viz.lessons.live import Live
from lm2viz.lessons.probing import FACT, N_PROBED, PERSON, QUESTION, probe_person
from lm2viz.probes.scores import PROBE, SHUFFLED
from lm2viz.progress import track

DECODABLE = 0.05  # accuracy above that of shuffled labels
NEEDED = 0.02  # of the questions about the person


def _right_without(
    lm: LoadedModel,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[tuple[int, int]]]:
    """Which questions about the person are right, (n_asked,), and without each slot (n_slots, n_asked).

    The slot is zeroed in the bank that the question is asked of. Also story and step of each question.
    """
    clean = run(lm, lesson_sample().stories)
    texts = question_texts(lesson_sample().stories)
    asked = [i for i, text in enumerate(texts) if text == QUESTION]

    def is_right(banks: Any) -> NDArray[np.bool_]:
        answered = ask_banks(lm, [QUESTION] * len(asked), banks).argmax(-1)
        right: NDArray[np.bool_] = (answered == clean.answer_ids[asked]).numpy()
        return right

    banks, without = clean.question_banks[asked], []
    for slot in track(range(lm.model.config.memory_slots), "zeroing slots", "slot"):
        edited = banks.clone()
        edited[:, slot] = 0.0
        without.append(is_right(edited))
    return is_right(banks), np.array(without), [(int(clean.story[i]), int(clean.step[i])) for i in asked]


def _share_of_slots(chosen: NDArray[np.bool_]) -> Estimate:
    """No interval, since the slots of one model are not independent; NaN where there are none."""
    return Estimate(float(chosen.mean()) if chosen.size else nan, nan, nan, chosen.size)


def _cause_and_correlation(lm: LoadedModel) -> Measured:
    result, (right, without, asked) = probe_person(lm), _right_without(lm)
    drops = right.mean() - without.mean(axis=1)
    probe, shuffled = (result.matrix(name)[:-1, 0] for name in (PROBE, SHUFFLED))
    is_decodable, is_needed = probe > shuffled + DECODABLE, drops > NEEDED
    return Measured(
        value=_share_of_slots(~is_needed[is_decodable]),
        control=_share_of_slots(~is_needed[~is_decodable]),
        of="Of the slots from which a probe decodes the fact, those that the answers do not need",
        of_control="Of all other slots",
        chart=Points(
            x=probe,
            y=drops,
            names=[str(slot) for slot in range(len(probe))],
            x_title=f"probe: accuracy for the {FACT}",
            y_title=f"answers about {PERSON} lost without the slot",
            x_control=("shuffled labels", float(shuffled.mean())),
        ),
        caption=f"A slot is needed if more than {NEEDED:.0%} of the answers about {PERSON} are lost without "
        "it. The slots of one model are not a sample, so the shares have no interval.",
        source=measured_on(lm, f"{N_PROBED} generated stories for the probes, {N_STORIES} for the answers"),
        live=_live_erasure(asked, right & ~without[drops.argmax()], probe, drops),
    )


def _live_erasure(
    asked: list[tuple[int, int]], is_lost: NDArray[np.bool_], probe: NDArray[Any], drops: NDArray[Any]
) -> Live | None:
    """A question that loses its answer with the slot that is needed most; None where none does.

    is_lost : of each question asked
    """
    if not is_lost.any():
        return None
    needed = int(drops.argmax())
    decoded = int(np.where(drops > NEEDED, -1.0, probe).argmax())
    story, step = asked[int(is_lost.argmax())]
    return Live(
        text=f"Answers about {PERSON} need slot **{needed}** most. Press *Erase this slot*: the answer "
        f"turns. Then press *Undo* and erase slot **{decoded}**: a probe decodes the place there too, "
        f"{probe[decoded]:.0%} right, and yet the answer stays.",
        story=story,
        step=step,
        question=QUESTION,
        slot=needed,
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
    "an intervention shows the second. The app's page Interventions compares it with placebos.",
)
