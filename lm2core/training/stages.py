"""The stages that stories grow through while a model is trained on them."""

from collections.abc import Sequence

from lm2core.babi.tasks import get_task
from lm2core.training.batches import Stage

# How stories grow once the tasks have come together: sentences with a gradient, up to so many before them,
# and the least and the most of all these that is background.
ALONE = ((10, 0, 0.0, 0.0), (16, 0, 0.0, 0.0), (16, 24, 0.0, 0.0), (16, 80, 0.0, 0.0))
IN_NOISE = (
    (10, 0, 0.0, 0.5),
    (16, 0, 0.0, 0.8),
    (16, 24, 0.0, 0.9),
    (16, 64, 0.0, 0.97),
    (16, 250, 0.8, 0.99),  # so much background that a fact is seldom restated
    (16, 700, 0.95, 0.995),
)


def stages_for(tasks: Sequence[str], *, noise: bool = False) -> tuple[Stage, ...]:
    """Few sentences about persons first, then objects join, then stories grow to the real lengths.

    What needs practice has it when the tasks come together, before any noise.

    With ``noise`` they grow by background text, at last to two hundred times as much as there is story.
    """
    for task in tasks:
        get_task(task)
    persons = [Stage(("qa1",), 3), Stage(("qa1",), 6)]
    if set(tasks) == {"qa1"} and not noise:
        return (*persons, Stage(("qa1",), 10))
    if set(tasks) == {"qa4"} and not noise:
        return (*persons, Stage(("qa4",), 4, practice=True), Stage(("qa4",), 2))  # it tells two sentences
    together = Stage(tuple(tasks), 6, practice=True)
    grown = (
        Stage(tuple(tasks), n, n_before=before, least_noise=least, noise=most)
        for n, before, least, most in (IN_NOISE if noise else ALONE)
    )
    return (*persons, together, *grown)
