"""The folder of a training run: begun once, gone on with as it began, whole whatever happens."""

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
# Of a recipe, what may change when a run is resumed: its length, and what makes it faster or smaller.
MAY_CHANGE = {"n_steps", "save_every", "log_every", "eval_every", "compile", "checkpointing"}


def complete_checkpoints(out: Path, last_file: str = SKIPS_FILE) -> dict[int, Path]:
    """The checkpoints of a run by their step, oldest first.

    last_file : one without it was cut short, as it is written last
    """
    folders = [file.parent for file in out.glob(f"checkpoint-*/{last_file}")]
    named = [(re.fullmatch(r"checkpoint-(\d+)", folder.name), folder) for folder in folders]
    return dict(sorted((int(name[1]), folder) for name, folder in named if name))


def newest_checkpoint(out: Path, last_file: str) -> Path | None:
    """The newest whole checkpoint of a run."""
    return next(reversed(complete_checkpoints(out, last_file).values()), None)


def check_start(recipe: RunRecipe, out: Path, *, resume: bool, last_file: str) -> Path | None:
    """The checkpoint a run in ``out`` goes on from, or None for a new run; a UserError when it cannot be.

    A run goes on only as it began, but for its length and speed.
    """
    newest = newest_checkpoint(out, last_file) if resume else None
    if resume and newest is None:
        raise UserError(f"nothing to resume in {out}: no complete checkpoint there; start in another folder")
    if not is_first_process():
        return newest
    if not resume and out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another folder, or go on with its run: --resume")
    if resume and (out / RECIPE_FILE).is_file():
        began = {"architecture": "lm2"} | read_recipe(out)
        now = json.loads(_as_json(recipe))
        other = [name for name in began if name not in MAY_CHANGE and began[name] != now.get(name)]
        if other:
            was = ", ".join(f"{name}={began[name]}, now {now.get(name)}" for name in other)
            raise UserError(
                f"the run in {out} began with {was}; resume it as it began, or start another folder"
            )
    return newest


def read_recipe(out: Path) -> dict[str, Any]:
    """What the run in ``out`` began with; a UserError when its file cannot be read."""
    file = out / RECIPE_FILE
    try:
        recipe = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file} ({error}); put it back, or start another folder") from None
    if not isinstance(recipe, dict):
        raise UserError(f"{file} holds no recipe but {recipe!r:.40}; put it back, or start another folder")
    return recipe


def begin(recipe: RunRecipe, out: Path) -> None:
    """Make the folder of a run and put its recipe there."""
    if not is_first_process():
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; choose another folder") from None
    write_atomically(out / RECIPE_FILE, _as_json(recipe))


def _as_json(recipe: RunRecipe) -> str:
    """The recipe, and what else the result depends on."""
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    return json.dumps(asdict(recipe) | {"n_processes": n_processes}, indent=2)


def is_first_process() -> bool:
    """Whether this is the one of several processes that looks after the folder."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def report_full_disk(out: Path) -> Iterator[None]:
    """Say in one line that a checkpoint could not be written; the one before it is whole."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if isinstance(error, RuntimeError):  # how torch's zip writer reports a failed write
            if "inline_container" not in reason:
                raise
            reason = "a checkpoint could not be written whole, the disk may be full"
        raise UserError(
            f"cannot write to {out}: {reason}; make room there, then go on with --resume"
        ) from error


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Put config, tokenizer and weights into ``out``: each file whole, weights last.

    ``weights`` are those of a model of which this process holds a part only, gathered from all processes.
    """
    with tempfile.TemporaryDirectory(prefix=".model.", dir=out) as name:
        folder = Path(name)
        model.save_pretrained(folder, state_dict=weights)
        tokenizer.save_pretrained(folder)
        for file in sorted(folder.iterdir(), key=lambda f: f.suffix == ".safetensors"):
            os.replace(file, out / file.name)
