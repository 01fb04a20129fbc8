"""The folder of a training run: checked before the start, resumed with its settings, written atomically."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.training.recipe import RunRecipe

RECIPE_FILE = "training.json"
SKIPS_FILE = "skipped_steps.json"
STAGE_FILE = "curriculum.json"
# Settings that may change when a run is resumed: its length, and what affects only speed or memory use.
MAY_CHANGE = {"n_steps", "save_every", "log_every", "eval_every", "compile", "checkpointing", "report_to"}


def complete_checkpoints(out: Path, last_file: str = SKIPS_FILE) -> dict[int, Path]:
    """The complete checkpoints of a run by their step, oldest first.

    last_file : the file that is written last; a checkpoint without it is incomplete
    """
    folders = [file.parent for file in out.glob(f"checkpoint-*/{last_file}")]
    named = [(re.fullmatch(r"checkpoint-(\d+)", folder.name), folder) for folder in folders]
    return dict(sorted((int(name[1]), folder) for name, folder in named if name))


def newest_checkpoint(out: Path, last_file: str) -> Path | None:
    """The newest complete checkpoint of a run, or None."""
    return next(reversed(complete_checkpoints(out, last_file).values()), None)


def check_start(
    recipe: RunRecipe, out: Path, *, resume: bool, last_file: str, any_n_processes: bool = False
) -> Path | None:
    """The checkpoint from which to resume the run in ``out``, or None for a new run.

    any_n_processes : whether it can be resumed with another number of processes

    Raises a UserError when a new run would overwrite something, when there is nothing to resume, and when a
    setting that is not in ``MAY_CHANGE`` differs from the original one.
    """
    newest = newest_checkpoint(out, last_file) if resume else None
    if resume and newest is None:
        raise UserError(f"nothing to resume: {out} has no complete checkpoint; start in another folder")
    if not is_first_process():
        return newest
    if not resume and out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another folder, or resume its run with --resume")
    if resume and (out / RECIPE_FILE).is_file():
        check_settings(recipe, out, any_n_processes=any_n_processes)
    return newest


def check_settings(recipe: RunRecipe, out: Path, *, any_n_processes: bool = False) -> None:
    """Refuse to resume the run in ``out`` with a setting that is not in ``MAY_CHANGE``: a UserError."""
    original = {"architecture": "lm2"} | read_recipe(out)
    now = json.loads(_as_json(recipe, n_processes()))
    may_change = MAY_CHANGE | ({"n_processes"} if any_n_processes else set())
    other = [name for name in original if name not in may_change and original[name] != now.get(name)]
    if other:
        changes = ", ".join(f"{name}={original[name]}, not {now.get(name)}" for name in other)
        raise UserError(
            f"the run in {out} was started with {changes}; resume it with the original settings, "
            "or start in another folder"
        )


def read_recipe(out: Path) -> dict[str, Any]:
    """What the run in ``out`` began with; a UserError when its file cannot be read."""
    file = out / RECIPE_FILE
    try:
        recipe = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file} ({error}); restore it, or start another folder") from None
    if not isinstance(recipe, dict):
        raise UserError(f"{file} is not a recipe, got {recipe!r:.40}; restore it, or start another folder")
    return recipe


def begin(recipe: RunRecipe, out: Path) -> None:
    """Make the folder of a run and write its recipe into it, with the number of processes it began with."""
    if not is_first_process():
        return
    began_with = n_processes_of(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; choose another folder") from None
    write_atomically(out / RECIPE_FILE, _as_json(recipe, began_with))


def n_processes() -> int:
    """The number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def n_processes_of(out: Path) -> int:
    """The number of processes that the run in ``out`` began with; that of this run if there is none yet."""
    began = read_recipe(out) if (out / RECIPE_FILE).is_file() else {}
    return int(began.get("n_processes", n_processes()))


def _as_json(recipe: RunRecipe, began_with: int) -> str:
    """The recipe and the number of processes, on which the result also depends."""
    return json.dumps(asdict(recipe) | {"n_processes": began_with}, indent=2)


def is_first_process() -> bool:
    """Whether this process is the one that writes to the folder."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def report_full_disk(out: Path) -> Iterator[None]:
    """Turn a failed write of a checkpoint into a one-line UserError; the previous checkpoint is complete."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if isinstance(error, RuntimeError):  # how torch's zip writer reports a failed write
            if "inline_container" not in reason:
                raise
            reason = "a checkpoint is incomplete, the disk may be full"
        raise UserError(f"cannot write to {out}: {reason}; free some space, then use --resume") from error


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write config, tokenizer and weights to ``out``: each file atomically, the weights last.

    weights : of a model that is sharded over processes, gathered from all of them
    """
    with tempfile.TemporaryDirectory(prefix=".model.", dir=out) as name:
        folder = Path(name)
        model.save_pretrained(folder, state_dict=weights)
        tokenizer.save_pretrained(folder)
        for file in sorted(folder.iterdir(), key=lambda f: f.suffix == ".safetensors"):
            os.replace(file, out / file.name)
