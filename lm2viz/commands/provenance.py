"""``lm2 provenance``: which sentences answers are traced back to, and whether those are the right ones."""

from typing import Annotated

import typer

from lm2viz.commands.shared import Checkpoint, Image, Out, Seed, Stories, Task, put_down, read_twice


def provenance(
    checkpoint: Checkpoint,
    task: Task = "qa1",
    stories: Stories = 50,
    seed: Seed = 0,
    follow: Annotated[
        str, typer.Option(help="copies: what words copied from other slots; stream: also by their stream.")
    ] = "copies",
    out: Out = None,
    image: Image = None,
) -> None:
    """Trace answers back through the memory to sentences, and score that by the known supporting facts."""
    from lm2core.story_traces import record_questions
    from lm2viz.provenance import STORY_HOOKS, agreement

    (reader, trace), (control, of_control) = read_twice(checkpoint, task, stories, seed, names=STORY_HOOKS)
    asked, control_asked = record_questions(reader, trace), record_questions(control, of_control)
    found = agreement(trace, asked, follow=follow, untrained=(of_control, control_asked), seed=seed)
    put_down("provenance", found, out, image)
