"""``lm2 report``: the pictures of a trace as one HTML file that opens offline."""

from pathlib import Path
from typing import Annotated

import typer

from lm2viz.cli.shared import Image, prepare


def report(
    trace: Annotated[Path, typer.Argument(help="Trace file, from 'lm2 trace'.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    story: Annotated[int, typer.Option(min=0, help="Number of the story in the trace, from 0.")] = 0,
    parts: Annotated[Path | None, typer.Option(help="Folder for each picture's numbers as CSV.")] = None,
    image: Image = None,
) -> None:
    """Write the pictures of a trace to one HTML file that opens offline."""
    prepare(parts, image, "--parts")
    from lm2core.files import write_atomically
    from lm2core.traces.trace import Trace
    from lm2viz.story.report import write_image, write_report

    pictures_by_name = write_report(out, Trace.load(trace), story=story)
    typer.echo(f"{out}: {len(pictures_by_name)} pictures")
    if parts is None:
        return
    for name, picture in pictures_by_name.items():
        write_atomically(parts / f"{name}.csv", picture.table.to_csv())
        if image is not None:
            write_image(picture.figure, parts / f"{name}.{image}")
    typer.echo(
        f"{parts}: {', '.join(pictures_by_name)}, each as csv{'' if image is None else f' and {image}'}"
    )
