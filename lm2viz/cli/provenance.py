"""``lm2 provenance``: trace answers back to sentences, and score the result."""

from typing import TYPE_CHECKING, Annotated

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
    write_result,
)

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel
    from lm2viz.sample.on_demand import TracesOnDemand

TRUTHS = {"supports": "the story's supporting facts", "needed": "the sentences it needs"}


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
    from lm2core.reading.checkpoints import load
    from lm2core.reading.story_traces import record_questions
    from lm2viz.causal import ablate_sentences, record_slot_losses
    from lm2viz.provenance import STORY_HOOKS, agreement
    from lm2viz.sample.story_sample import StorySample

    lm, sample = load(checkpoint), StorySample(task, stories, seed)
    if truth == "needed":
        needed = ablate_sentences(lm, sample.stories, seed=seed)
        sample = StorySample(needed.as_supports(sample.stories), seed=seed)

    def traces_of(each: "LoadedModel") -> "tuple[TracesOnDemand, TracesOnDemand]":
        traces = sample.read_on_demand(each, STORY_HOOKS)
        return traces, traces.map(
            lambda trace: record_slot_losses(each, trace, record_questions(each, trace))
        )

    result = agreement(
        *traces_of(lm),
        follow=follow,
        untrained=traces_of(sample.control(lm)),
        truth=TRUTHS[truth],
        seed=seed,
    )
    write_result("provenance", result, out, image)
