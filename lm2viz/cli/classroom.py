"""``lm2 classroom``: a story, its memory and the model itself in one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from lm2viz.cli.shared import Checkpoint


def classroom(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    story: Annotated[
        Path | None, typer.Option(help="Text file, one sentence per line; default: six sentences on people.")
    ] = None,
    question: Annotated[
        list[str] | None, typer.Option(help="A question; repeat the option for more. The first is shown.")
    ] = None,
) -> None:
    """Write one HTML file with a story, its memory and the model itself: it opens offline, with no server."""
    from lm2core.babi.text import read_sentences
    from lm2core.reading.checkpoints import load
    from lm2viz.stage.classroom import STORY, write_classroom

    sentences = STORY if story is None else read_sentences(story)
    write_classroom(out, load(checkpoint), sentences, question or ())
    typer.echo(f"{out}: {len(sentences)} sentences, {out.stat().st_size / 1e6:.1f} MB; open it in a browser")
