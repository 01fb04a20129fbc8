"""Train one run of a comparison, or go on with what a kill left of it."""

import shutil
from dataclasses import replace
from pathlib import Path
from pydoc_data.topics import topics

from lm2core.compare.plan import Run
from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel
from lm2core.training.recipe import Recipe
from lm2core.training.run_folder import SKIPS_FILE, STAGE_FILE, newest_checkpoint, read_recipe
from lm2core.training.stories import train
from lm2core.training.text import train_text
from lm2core.training.text_recipe import TextRecipe

TEXT_FILE = "text.txt"


def run_folder(out: Path, run: Run) -> Path:
    """Where ``run`` is trained in the folder of a comparison."""
    return out / "runs" / run.name


def train_run(run: Run, out: Path) -> tuple[LoadedModel, bool]:
    """The trained model of ``run``, and whether an earlier process had begun it."""
    folder, recipe = run_folder(out, run), run.recipe
    is_begun = newest_checkpoint(folder, _last_file(recipe)) is not None
    if is_begun:
        _check_length(folder, recipe.n_steps)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # killed before its first checkpoint
    if not (folder / "model.safetensors").is_file():  # written last
        if isinstance(recipe, TextRecipe):
            train_text(with_text(recipe, out), folder, resume=is_begun)
        else:
            train(recipe, folder, resume=is_begun)
    return load(str(folder), baselines=True), is_begun


def _last_file(recipe: Recipe | TextRecipe) -> str:
    return SKIPS_FILE if isinstance(recipe, TextRecipe) else STAGE_FILE


def _check_length(folder: Path, n_steps: int) -> None:
    """A run goes on only with as many steps as it began with; ``train`` looks at all else."""
    began = read_recipe(folder).get("n_steps")
    if began != n_steps:
        raise UserError(
            f"the run in {folder} began with n_steps={began}, now {n_steps}; "
            "go on as it began, or choose another --out"
        )


def with_text(recipe: TextRecipe, out: Path) -> TextRecipe:
    """The recipe, on the help topics that come with every Python, put into a file in ``out``."""
    file = (out / TEXT_FILE).resolve()
    if not file.is_file():
        write_atomically(file, "\n\n".join(topics[name] for name in sorted(topics)))
    return replace(recipe, text=str(file))
