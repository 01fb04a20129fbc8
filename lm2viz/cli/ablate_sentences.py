"""``lm2 ablate-sentences``: which sentences the answers need."""

from lm2viz.cli.shared import (
    Checkpoint,
    Image,
    Out,
    Seed,
    Stories,
    Task,
    prepare,
    stories_of,
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
    from lm2core.reading.loaded_model import untrained
    from lm2viz.causal import ablate_sentences

    lm, story_list = load(checkpoint, baselines=True), stories_of(task, stories, seed)
    write_result(
        "ablate-sentences",
        ablate_sentences(lm, story_list, untrained=untrained(lm, seed), seed=seed),
        out,
        image,
    )
