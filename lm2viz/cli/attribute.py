"""``lm2 attribute``: which block and slot the answers' logits come from."""

from lm2viz.cli.shared import (
    Checkpoint,
    Image,
    Out,
    Seed,
    Stories,
    Task,
    prepare,
    put_down,
    stories_of,
)


def attribute(
    checkpoint: Checkpoint,
    task: Task = "qa1",
    stories: Stories = 60,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Split answers' logits over blocks and slots, and integrate gradients along the asked bank."""
    prepare(out, image)
    from lm2core.reading.checkpoints import load_reader
    from lm2viz.causal import attribute_answers, slot_gradients

    reader, told = load_reader(checkpoint), stories_of(task, stories, seed)
    put_down("attribution", attribute_answers(reader, told, seed=seed), out, image)
    put_down("gradients", slot_gradients(reader, told, seed=seed), out, image)
