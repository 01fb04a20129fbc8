"""Output that all forms of ``lm2 eval`` share: the model, its scores, and a table of them."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lm2core.evaluation.stories import Score
    from lm2core.reading.loaded_model import LoadedModel

Rows = list[dict[str, Any]]  # as in the JSON file
COLUMNS = {
    "task": "task",
    "length": "length",
    "sentences": "sentences",
    "n": "n",
    "accuracy": "accuracy",
    "interval": "95 % interval",
    "label_set": "label\nset",
    "label_words": "whole\nlabels",
    "majority": "floor:\nmajority",
    "last_mentioned": "floor:\nlast\nplace",
}


def open_model(checkpoint: str) -> "LoadedModel":
    """Load the model to evaluate, and print its architecture and size."""
    from lm2core.baselines.architectures import architecture_of
    from lm2core.model.sizes import n_parameters
    from lm2core.reading.checkpoints import load

    lm = load(checkpoint, baselines=True)
    typer.echo(f"{checkpoint}: {architecture_of(lm.model)}, {n_parameters(lm.model):,} parameters")
    return lm


def score_columns(lm: "LoadedModel", score: "Score") -> dict[str, Any]:
    """The columns of a row that all forms share."""
    from lm2core.baselines.architectures import architecture_of
    from lm2core.model.sizes import n_parameters

    return {
        "n": score.n,
        "accuracy": score.accuracy,
        "model": lm.name,
        "architecture": architecture_of(lm.model),
        "n_parameters": n_parameters(lm.model),
        "low": score.low,
        "high": score.high,
        "majority": score.majority,
        "last_mentioned": score.last_mentioned,
    }


def show(rows: Rows) -> None:
    """Print a table of the columns that the rows have."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    shown = [row | {"interval": f"{row['low']:.1%} to {row['high']:.1%}"} for row in rows]
    names = [name for name in COLUMNS if name in shown[0]]
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(COLUMNS[name])
    for row in shown:
        cells = (row[name] for name in names)
        table.add_row(*(f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console().print(table)
