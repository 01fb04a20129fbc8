"""``lm2 became``: since which step of a training run a slot holds a fact."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2viz.commands.shared import Image, Labels, Out, Seed, Stories, Task, open_sample, put_down, rows_of

if TYPE_CHECKING:
    from lm2viz.rows import BankRows


def became(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run that kept its checkpoints: lm2 train --keep-all."),
    ],
    fact: Annotated[str, typer.Option(help='Such as "place of Mary".')],
    labels: Labels = None,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Since which step of training a slot holds a fact; controls: stories exchanged, no training."""
    from lm2core.run_folder import whole_checkpoints
    from lm2viz.slots import became as slot_became
    from lm2viz.slots.timeline import check_fact

    checkpoints = whole_checkpoints(run)
    if not checkpoints:
        raise ValueError(f"no whole checkpoint in {run}; give the folder of a run of lm2 train --keep-all")
    rows: dict[int, BankRows] = {}
    for step, folder in checkpoints.items():
        is_first = not rows and _began_untrained(run)
        sample = open_sample(str(folder), task, stories, seed, with_untrained=is_first)
        rows[step], control = rows_of(sample, labels)
        check_fact(rows[step], fact)
        rows = rows if control is None else {0: control, **rows}
    put_down("became", slot_became(list(rows.values()), list(rows), fact, seed=seed), out, image)


def _began_untrained(run: Path) -> bool:
    """Whether the run began with a new model: else an untrained one is not where it began."""
    from lm2core.run_folder import RECIPE_FILE

    file = run / RECIPE_FILE
    recipe = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return not recipe.get("start_from") and not recipe.get("llama")
