"""``lm2 match-slots``: the slots of two models, or of two checkpoints of one run, matched."""

from typing import Annotated

import typer

from lm2viz.cli.shared import (
    Checkpoint,
    Image,
    Out,
    Seed,
    Stories,
    Task,
    open_sample,
    prepare,
    write_result,
)


def match_slots_command(
    first: Checkpoint,
    second: Annotated[str, typer.Argument(help="Second model, folder, or Hugging Face id.")],
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Match the slots of two models that read the same stories."""
    prepare(out, image)
    from lm2viz.slots import match_slots

    one, other = (
        sample.rows(lm) for sample, lm in (open_sample(name, task, stories, seed) for name in (first, second))
    )
    write_result("matching", match_slots(one, other, names=(first, second), seed=seed), out, image)
