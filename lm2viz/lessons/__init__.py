"""Short lessons: predict the result of a measurement, then see it measured.

A lesson never states its result: the right choice is the one whose range contains the measured value.
"""

from lm2viz.lessons import cause, gates, probing, published, slots
from lm2viz.lessons.lesson import Lesson, Measured
from lm2viz.lessons.live import Live

LESSONS: tuple[Lesson, ...] = (
    slots.WHAT_IS_A_SLOT,
    slots.READING,
    gates.WRITING,
    gates.FORGETTING,
    gates.WHY_A_GATE,
    probing.WITHOUT_FOOLING_YOURSELF,
    cause.CAUSE_AND_CORRELATION,
    published.THE_PAPER,
)

__all__ = ["LESSONS", "Lesson", "Live", "Measured"]
