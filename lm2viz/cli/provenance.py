"""``lm2 provenance``: trace answers back to sentences, and score the result."""

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
    read_with_control,
    stories_of,
    write_result,
)

TRUTHS = ("supports", "needed")


def provenance(
    checkpoint: Checkpoint,
    task: Task = "qa1",
    stories: Stories = 50,
    seed: Seed = 1000,  # not 0: SHARPNESS was chosen on stories of seeds 0 to 99, see docs/LOG.md
    follow: Annotated[
        str,
        typer.Option(
            help="copies: follow what words copy from other slots; stream: also their residual stream."
        ),
    ] = "copies",
    truth: Annotated[
        str,
        typer.Option(
            help="Score against: supports, the story's supporting facts; needed, see 'lm2 ablate-sentences'."
        ),
    ] = "supports",
    out: Out = None,
    image: Image = None,
) -> None:
    """Trace answers through the memory back to sentences, and score this against supporting facts."""
    if truth not in TRUTHS:
        raise UserError(f"unknown --truth {truth}; choose one of: {', '.join(TRUTHS)}")
    prepare(out, image)
    from lm2core.reading.story_traces import record_questions
    from lm2viz.causal import ablate_sentences, record_slot_losses
    from lm2viz.provenance import STORY_HOOKS, agreement

    (lm, trace), (control, of_control) = read_with_control(checkpoint, task, stories, seed, names=STORY_HOOKS)
    question_trace, control_questions = (
        record_slot_losses(model, story_trace, record_questions(model, story_trace))
        for model, story_trace in ((lm, trace), (control, of_control))
    )
    if truth == "needed":
        needed = ablate_sentences(lm, stories_of(task, stories, seed), seed=seed)
        question_trace, control_questions = (
            needed.as_supports(question_trace),
            needed.as_supports(control_questions),
        )
    result = agreement(
        trace, question_trace, follow=follow, untrained=(of_control, control_questions), seed=seed
    )
    write_result("provenance", result, out, image)
