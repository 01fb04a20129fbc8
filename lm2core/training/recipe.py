"""Recipes: the settings of training presets, and the stages through which stories grow."""

from collections.abc import Sequence
from dataclasses import dataclass

from lm2core.babilong.noise import PYTHON
from lm2core.training.batches import Stage, check_trained


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecipe:
    """The settings that training on stories and on text have in common."""

    architecture: str = "lm2"  # or a baseline with as many parameters, see architectures.py
    n_steps: int  # optimizer steps
    learning_rate: float = 1e-3
    n_warmup_steps: int = 100
    weight_decay: float = 0.01
    seed: int = 0
    save_every: int = 250  # optimizer steps
    keep_all: bool = False  # keep every checkpoint; else only the two newest
    log_every: int = 10  # optimizer steps
    compile: bool = False  # torch.compile one segment: faster steps after a few minutes of compiling


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(RunRecipe):
    """The settings of training on stories."""

    tasks: tuple[str, ...] = ("qa1", "qa2", "qa3")
    start_from: str | None = None  # a checkpoint to start from, with its sizes; None: a new model
    noise: str | None = (
        None  # background text to hide the stories in, see babilong/noise.py; None: stories alone
    )
    n_subwords: int = 2_048  # with noise: approximate vocabulary size; a word of a story is always one token
    segment_length: int = 32  # with noise: tokens after which a background sentence is cut
    memory_slots: int | None = None  # None: the preset's
    memory_layers: tuple[int, ...] | None = None  # blocks that have memory; None: all
    n_steps: int = 4_600  # optimizer steps
    stage_steps: tuple[int, ...] | None = None  # of each stage but the last; None: until it is mastered
    n_stories: int = 32  # per step and process; fewer if they are long, see batches.MOST_SENTENCES
    questions_per_sentence: float = 2.0
    decay_share: float = 0.9  # of the steps, at the end, during which the learning rate falls to zero


PRESETS = {
    "babi-tiny": Recipe(),
    "babilong-tiny": Recipe(tasks=("qa1", "qa2", "qa3", "qa4", "qa5"), noise=PYTHON),
}


# How stories grow once all tasks are mixed: sentences with a gradient, the most sentences before them, and
# the least and the largest share of background among all of these.
ALONE = ((10, 0, 0.0, 0.0), (16, 0, 0.0, 0.0), (16, 24, 0.0, 0.0), (16, 80, 0.0, 0.0))
IN_NOISE = (
    (10, 0, 0.0, 0.5),
    (16, 0, 0.0, 0.8),
    (16, 24, 0.0, 0.9),
    (16, 64, 0.0, 0.97),
    (16, 250, 0.8, 0.99),  # so much noise that a fact is seldom stated again
    (16, 700, 0.95, 0.995),
)


def stages_for(tasks: Sequence[str], *, noise: bool = False) -> tuple[Stage, ...]:
    """A few sentences about people first, then objects join, then stories grow to their full length.

    Tasks with a practice task (``batches.PRACTICE``) use it when all tasks are mixed, before any noise.
    With ``noise`` stories grow by background text, in the end to two hundred times their own length.
    """
    for task in tasks:
        check_trained(task)
    persons = [Stage(("qa1",), 3), Stage(("qa1",), 6)]
    if set(tasks) == {"qa1"} and not noise:
        return (*persons, Stage(("qa1",), 10))
    if set(tasks) == {"qa4"} and not noise:
        return (
            *persons,
            Stage(("qa4",), 4, practice=True),
            Stage(("qa4",), 2),
        )  # its stories have two sentences
    together = Stage(tuple(tasks), 6, practice=True)
    grown = (
        Stage(tuple(tasks), n, n_before=before, least_noise=least, noise=most)
        for n, before, least, most in (IN_NOISE if noise else ALONE)
    )
    return (*persons, together, *grown)
