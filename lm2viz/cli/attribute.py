"""``lm2 attribute``: which blocks and slots the answers' logits come from."""

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


def attribute(
    checkpoint: Checkpoint,
    task: Task = "qa1",
    stories: Stories = 60,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Attribute answers to blocks and slots: direct logit attribution and integrated gradients."""
    prepare(out, image)
    from lm2core.reading.checkpoints import load
    from lm2viz.causal import attribute_answers, slot_gradients
    from lm2viz.sample.story_sample import StorySample

    lm, sample = load(checkpoint), StorySample(task, stories, seed)
    write_result("attribution", attribute_answers(lm, sample.stories, seed=seed), out, image)
    write_result("gradients", slot_gradients(lm, sample.stories, seed=seed), out, image)
