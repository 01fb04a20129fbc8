"""``lm2 lens``: what each slot makes a question say when it is read alone."""

from pathlib import Path
from typing import Annotated

import typer

from lm2viz.cli.shared import Checkpoint, Image, Out, prepare, write_result


def lens(
    checkpoint: Checkpoint,
    story: Annotated[
        Path, typer.Option(help="Text file, one sentence per line; - is standard input.", metavar="FILE")
    ],
    question: Annotated[str, typer.Option(help='For example "Where is Mary?".')],
    out: Out = None,
    image: Image = None,
) -> None:
    """Read a story, then let a question read one slot alone: what it says is what the slot holds.

    Beside each slot: the same slot of a fresh bank as control, the sentence that wrote it, and the attention
    that the question pays it when all slots are there to be read.
    """
    prepare(out, image)
    from lm2core.babi.text import read_sentences
    from lm2core.reading.answers import read_story
    from lm2core.reading.checkpoints import load
    from lm2viz.causal import slot_lens

    lm = load(checkpoint)
    write_result("lens", slot_lens(lm, read_story(lm, read_sentences(story)), question), out, image)
