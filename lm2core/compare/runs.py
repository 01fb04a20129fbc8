"""Train one run of a comparison, or resume it after an interruption."""

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
    """The folder in which ``run`` is trained."""
    return out / "runs" / run.name


def train_run(run: Run, out: Path) -> tuple[LoadedModel, bool]:
    """The trained model of ``run``, and whether it was resumed from an earlier process's checkpoint."""
    folder, recipe = run_folder(out, run), run.recipe
    is_resumed = newest_checkpoint(folder, _last_file(recipe)) is not None
    if is_resumed:
        _check_length(folder, recipe.n_steps)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # interrupted before its first checkpoint
    if not (folder / "model.safetensors").is_file():  # written last
        if isinstance(recipe, TextRecipe):
            train_text(with_text(recipe, out), folder, resume=is_resumed)
        else:
            train(recipe, folder, resume=is_resumed)
    return load(str(folder), baselines=True), is_resumed


def _last_file(recipe: Recipe | TextRecipe) -> str:
    return SKIPS_FILE if isinstance(recipe, TextRecipe) else STAGE_FILE


def _check_length(folder: Path, n_steps: int) -> None:
    """Refuse to resume with another number of steps; ``train`` checks all other settings."""
    started_with = read_recipe(folder).get("n_steps")
    if started_with != n_steps:
        raise UserError(
            f"the run in {folder} was started with n_steps={started_with}, not {n_steps}; "
            "use the original settings or another --out"
        )


def with_text(recipe: TextRecipe, out: Path) -> TextRecipe:
    """The recipe with the help topics of Python as its text, written to a file in ``out``."""
    file = (out / TEXT_FILE).resolve()
    if not file.is_file():
        write_atomically(file, "\n\n".join(topics[name] for name in sorted(topics)))
    return replace(recipe, text=str(file))
