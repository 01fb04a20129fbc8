"""``lm2 report``: one HTML file of a trace that opens offline."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    trace: Annotated[Path, typer.Argument(help="Trace file, as 'lm2 trace' writes it.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    story: Annotated[int, typer.Option(min=0, help="Which story of the trace, from 0.")] = 0,
) -> None:
    """Put the pictures of a trace into one HTML file that opens offline."""
    from lm2core.trace import Trace
    from lm2viz.report import write_report

    n_pictures = write_report(out, Trace.load(trace), story=story)
    typer.echo(f"{out}: {n_pictures} pictures")
