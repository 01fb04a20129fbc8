"""``lm2 emergence``: the training step from which on a slot holds a fact."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import (
    Image,
    Labels,
    Out,
    Seed,
    Stories,
    Task,
    labels_of,
    prepare,
    write_result,
)

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel
    from lm2viz.sample.rows import BankRows


def emergence(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a training run with all its checkpoints (lm2 train --keep-all)."),
    ],
    fact: Annotated[str, typer.Option(help='Fact to follow, e.g. "place of Mary".')],
    labels: Labels = None,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Find the training step from which on a slot holds a fact; control: stories exchanged."""
    label_table = labels_of(labels)
    prepare(out, image)
    from lm2viz.sample.rows import check_labels
    from lm2viz.sample.story_sample import StorySample
    from lm2viz.slots import emergence as slot_emergence
    from lm2viz.slots.emergence import check_fact

    sample = StorySample(task, stories, seed)
    if label_table is not None:
        check_labels(label_table, [len(story.sentences) for story in sample.stories])
    rows: dict[int, BankRows] = {}
    for step, lm in _checkpoint_models(run):
        rows[step] = sample.rows(lm, label_table)
        check_fact(rows[step], fact)
    write_result("emergence", slot_emergence(list(rows.values()), list(rows), fact, seed=seed), out, image)


def _checkpoint_models(run: Path) -> "Iterator[tuple[int, LoadedModel]]":
    """The models of a run with their steps; step 0 is the untrained model, if the run started from one."""
    from lm2core.reading.checkpoints import load
    from lm2core.reading.loaded_model import untrained
    from lm2core.training.run_folder import complete_checkpoints

    checkpoints = complete_checkpoints(run)
    if not checkpoints:
        raise UserError(f"no complete checkpoint in {run}; give the folder of a run of lm2 train --keep-all")
    seed = _first_seed(run)
    for step, folder in checkpoints.items():
        lm = load(str(folder))
        if seed is not None:
            yield 0, untrained(lm, seed)
            seed = None
        yield step, lm


def _first_seed(run: Path) -> int | None:
    """The seed of the run's initial weights; None if they were pretrained, or without a recipe."""
    from lm2core.training.run_folder import RECIPE_FILE

    file = run / RECIPE_FILE
    recipe = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    seed: int | None = None if recipe.get("start_from") or recipe.get("llama") else recipe.get("seed")
    return seed
