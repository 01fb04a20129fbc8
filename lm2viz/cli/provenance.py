"""``lm2 provenance``: which sentences answers are traced back to, and whether those are the right ones."""

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
    put_down,
    read_twice,
    stories_of,
)

TRUTHS = ("supports", "needed")


def provenance(
    checkpoint: Checkpoint,
    task: Task = "qa1",
    stories: Stories = 50,
    seed: Seed = 1000,  # not 0: slots are weighed as fits stories of seeds 0 to 99 best, see docs/LOG.md
    follow: Annotated[
        str, typer.Option(help="copies: what words copied from other slots; stream: also by their stream.")
    ] = "copies",
    truth: Annotated[
        str,
        typer.Option(
            help="supports: the story's supporting facts; needed: sentences that answers need, see leave-out."
        ),
    ] = "supports",
    out: Out = None,
    image: Image = None,
) -> None:
    """Trace answers back through the memory to sentences, and score that by the sentences they rest on."""
    if truth not in TRUTHS:
        raise UserError(f"--truth {truth}; take one of: {', '.join(TRUTHS)}")
    prepare(out, image)
    from lm2core.reading.story_traces import record_questions
    from lm2viz.causal import left_out, lose_slots
    from lm2viz.provenance import STORY_HOOKS, agreement

    (reader, trace), (control, of_control) = read_twice(checkpoint, task, stories, seed, names=STORY_HOOKS)
    asked, control_asked = (
        lose_slots(model, told, record_questions(model, told))
        for model, told in ((reader, trace), (control, of_control))
    )
    if truth == "needed":
        needed = left_out(reader, stories_of(task, stories, seed), seed=seed)
        asked, control_asked = needed.as_supports(asked), needed.as_supports(control_asked)
    found = agreement(trace, asked, follow=follow, untrained=(of_control, control_asked), seed=seed)
    put_down("provenance", found, out, image)
