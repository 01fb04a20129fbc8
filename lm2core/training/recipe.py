"""Recipes: the settings of training presets. Metadata of a field makes it an option of ``lm2 train``.

Light to import, because the command's help is made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lm2core.babilong.background_text import PYTHON


def option(help: str, *, flag: str = "", least: float | None = None) -> Mapping[str, Any]:
    """Metadata of an option of ``lm2 train``; ``flag`` if it differs from the field's name."""
    return {"help": help, "flag": flag, "least": least}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecipe:
    """The settings that training on stories and on text have in common."""

    architecture: str = field(
        default="lm2",
        metadata=option(
            "lm2, or a baseline with as many parameters: rmt, armt, llama-window (sees one segment), "
            "llama-full (sees the whole text)."
        ),
    )
    seed: int = field(
        default=0, metadata=option("The same seed gives the same loss on one machine; 0 by default.")
    )
    n_steps: int = field(
        metadata=option("Optimizer steps; by default the preset's.", flag="--steps", least=1)
    )
    learning_rate: float = field(
        default=1e-3, metadata=option("Peak learning rate; by default the preset's.", least=0.0)
    )
    n_warmup_steps: int = field(
        default=100,
        metadata=option(
            "Steps in which the learning rate rises to its peak; by default the preset's.",
            flag="--warmup",
            least=0,
        ),
    )
    weight_decay: float = 0.01
    compile: bool = field(  # torch.compile of one segment
        default=False,
        metadata=option("Faster steps after a few minutes of compiling.", flag="--compile/--no-compile"),
    )
    save_every: int = field(
        default=250, metadata=option("Steps between checkpoints; by default the preset's.", least=1)
    )
    keep_all: bool = field(
        default=False,
        metadata=option(
            "Keep every checkpoint, which 'lm2 emergence' needs; else only the two newest.", flag="--keep-all"
        ),
    )
    log_every: int = 10  # optimizer steps
    report_to: tuple[str, ...] = field(
        default=(),
        metadata=option("Comma-separated tools that the metrics also go to: tensorboard, wandb."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(RunRecipe):
    """The settings of training on stories."""

    tasks: tuple[str, ...] = field(
        default=("qa1", "qa2", "qa3"),
        metadata=option("Comma-separated tasks, by default all; training always begins with qa1."),
    )
    stories: str | None = field(  # their files then are the tasks
        default=None,
        metadata=option(
            "Your own stories instead of generated ones: a file in the bAbI format, or a folder of such .txt "
            "files. A tenth of the stories is held out."
        ),
    )
    start_from: str | None = field(
        default=None,
        metadata=option("A checkpoint to start from, with its sizes; by default a new model.", flag="--from"),
    )
    noise: str | None = field(  # see babilong/background_text.py
        default=None,
        metadata=option(
            'Text to hide the stories in; a file, a folder, a hub data set\'s id, or "python" for the '
            "documentation that every Python has."
        ),
    )
    n_subwords: int = 2_048  # with noise: approximate vocabulary size; a word of a story is always one token
    segment_length: int = 32  # with noise: tokens after which a background sentence is cut
    memory_slots: int | None = field(  # None: the preset's
        default=None, metadata=option("Slots of a new memory, on stories or with --llama.", least=1)
    )
    memory_layers: tuple[int, ...] | None = field(
        default=None, metadata=option("Comma-separated blocks that have memory; by default all.")
    )
    n_steps: int = 4_600  # optimizer steps
    stage_steps: tuple[int, ...] | None = field(
        default=None,
        metadata=option(
            "Comma-separated steps of each stage but the last; by default a stage ends when it is mastered."
        ),
    )
    n_stories: int = 32  # per step and process; fewer if they are long, see batches.MOST_SENTENCES
    questions_per_sentence: float = 2.0
    decay_share: float = 0.9  # of the steps, at the end, during which the learning rate falls to zero


PRESETS = {
    "babi-tiny": Recipe(),
    "babilong-tiny": Recipe(tasks=("qa1", "qa2", "qa3", "qa4", "qa5"), noise=PYTHON),
}
