"""``lm2 intervene``: what an edit of the memory changes in the answers to many stories."""

from pathlib import Path
from typing import Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import (
    Checkpoint,
    Image,
    Out,
    Seed,
    Stories,
    Task,
    prepare,
    slot_numbers,
    write_result,
)


def intervene(
    checkpoint: Checkpoint,
    edits: Annotated[
        Path | None, typer.Option(help="JSON file of interventions, as lm2viz.causal.to_json writes it.")
    ] = None,
    zero: Annotated[
        str | None, typer.Option(help="Instead of a file: slots to set to zero, e.g. 3,7.")
    ] = None,
    task: Task = "qa1",
    stories: Stories = 100,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Measure how an edit of the memory changes answers; placebos: other slots, random vectors."""
    if (edits is None) == (zero is None):
        raise UserError("give one of --edits FILE and --zero SLOTS")
    from lm2core.reading.checkpoints import load
    from lm2viz.causal import Zero, effect, from_json
    from lm2viz.sample.story_sample import StorySample

    interventions = (
        [Zero(slots=slot_numbers("--zero", zero))] if zero is not None else from_json(_text_of(edits))
    )
    prepare(out, image)
    sample = StorySample(task, stories, seed)
    write_result("intervene", effect(load(checkpoint), sample.stories, interventions, seed=seed), out, image)


def _text_of(path: Path | None) -> str:
    try:
        return Path(str(path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}; give a JSON file of interventions") from None
