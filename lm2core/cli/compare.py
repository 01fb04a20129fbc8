"""``lm2 compare``: LM2, RMT and plain Llamas trained alike, and the table of what each can do."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    preset: Annotated[
        str, typer.Option(help="babi-mini, hours on two cores; smoke, minutes, means nothing.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for runs, results and the table.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds of each run; the preset's by default.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of each run; the preset's by default.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Groups by commas: main, text, layers, slots, longer; all by default."),
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Train nothing: the table of the results that are there.")
    ] = False,
) -> None:
    """Train LM2 and baselines alike, with several seeds, and write a table of what each can do.

    Stopped or killed, the same command goes on. The same command in a second terminal shares the work.
    """
    from lm2core.compare.plan import GROUPS, get_preset, make_plan
    from lm2core.compare.work import TABLE_FILES, compare, write_table

    plan = make_plan(get_preset(preset), n_seeds=seeds, n_steps=steps)
    if table:
        written_table = write_table(plan, out)
    else:
        groups = GROUPS if only is None else tuple(name.strip() for name in only.split(","))
        try:
            compare(plan, out, groups=groups, say=typer.echo)
        except KeyboardInterrupt:
            typer.echo("lm2: interrupted; the same command goes on from the newest checkpoint", err=True)
            raise typer.Exit(130) from None
        written_table = write_table(plan, out)
    n_missing = len(written_table["missing"])
    what = (
        f"{n_missing} of {written_table['n_runs']} runs missing"
        if n_missing
        else f"all {written_table['n_runs']} runs"
    )
    typer.echo(f"{out / TABLE_FILES[0]}: {what}")
