"""Short lessons: predict the result of a measurement, then see it measured.

A lesson never states its result: the right choice is the one whose range contains the measured value.
"""

from app.lessons import gates, probing, published, slots
from app.lessons.lesson import Lesson, Measured

LESSONS: tuple[Lesson, ...] = (
    slots.WHAT_IS_A_SLOT,
    slots.READING,
    gates.WRITING,
    gates.FORGETTING,
    gates.WHY_A_GATE,
    probing.WITHOUT_FOOLING_YOURSELF,
    probing.CAUSE_AND_CORRELATION,
    published.THE_PAPER,
)

__all__ = ["LESSONS", "Lesson", "Measured"]
