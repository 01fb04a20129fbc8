"""``lm2 eval --harness ...``: tasks of EleutherAI's evaluation harness."""

from typing import Any

from lm2core.cli.tables import Rows, open_model

COLUMNS = ("task", "metric", "value", "stderr", "chance", "n", "n_shot")


def on_harness(checkpoint: str, tasks: str, **options: Any) -> Rows:
    """Score ``checkpoint`` on comma-separated ``tasks`` with the options of ``run_harness``."""
    from lm2core.evaluation.harness import check_installed, run_harness

    check_installed()  # before loading the model
    rows = run_harness(open_model(checkpoint), tasks.split(","), **options)
    _show(rows)
    return rows


def _show(rows: Rows) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    for row in rows:
        cells = (row[name] for name in COLUMNS)
        table.add_row(*("" if x is None else f"{x:.4g}" if isinstance(x, float) else str(x) for x in cells))
    Console().print(table)
