"""``lm2 leave-out``: which sentences answers need."""

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


def leave_out(
    checkpoint: Checkpoint,
    task: Task = "qa2",
    stories: Stories = 30,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Read stories again without each sentence, and ask again: which sentences do the answers need?"""
    prepare(out, image)
    from lm2core.reading.checkpoints import load_reader
    from lm2core.reading.loaded_model import untrained
    from lm2viz.causal import left_out

    reader, told = load_reader(checkpoint, baselines=True), stories_of(task, stories, seed)
    put_down("left-out", left_out(reader, told, untrained=untrained(reader, seed), seed=seed), out, image)
