"""``lm2 ablate-sentences``: which sentences the answers need."""

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


def ablate_sentences_command(
    checkpoint: Checkpoint,
    task: Task = "qa2",
    stories: Stories = 30,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Find the sentences that answers need: remove each in turn and ask again."""
    prepare(out, image)
    from lm2core.reading.checkpoints import load
    from lm2viz.causal import ablate_sentences
    from lm2viz.sample.story_sample import StorySample

    lm, sample = load(checkpoint, baselines=True), StorySample(task, stories, seed)
    result = ablate_sentences(lm, sample.stories, untrained=sample.control(lm), seed=seed)
    write_result("ablate-sentences", result, out, image)
