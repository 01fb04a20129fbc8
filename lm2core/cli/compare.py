"""``lm2 compare``: train LM2, RMT, ARMT and plain Llamas, each at its own rate, and write a table."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    preset: Annotated[
        str, typer.Option(help="babi-mini (hours on two cores) or smoke (minutes, only checks that it runs).")
    ],
    out: Annotated[Path, typer.Option(help="Folder for runs, results and the table.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds; by default the preset's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps per run; by default the preset's.")] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Comma-separated groups: rates, race, main, text, layers, slots; by default all."),
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Do not train; only write the table of existing results.")
    ] = False,
) -> None:
    """Train LM2 and baselines, each at its own learning rate and with several seeds; write a table.

    To resume after an interruption, repeat the command. Run it in a second terminal to share the work.
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
            typer.echo("lm2: interrupted; repeat the command to resume from the newest checkpoint", err=True)
            raise typer.Exit(130) from None
        written_table = write_table(plan, out)
    n_missing = len(written_table["missing"])
    what = (
        f"{n_missing} of {written_table['n_runs']} runs missing"
        if n_missing
        else f"all {written_table['n_runs']} runs"
    )
    typer.echo(f"{out / TABLE_FILES[0]}: {what}")
