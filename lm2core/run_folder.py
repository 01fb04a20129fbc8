"""The folder of a training run: begun once, gone on with as it began, whole whatever happens."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from lm2core.files import write_whole
from lm2core.model import LM2ForCausalLM
from lm2core.recipe import Recipe

STAGE_FILE = "curriculum.json"  # written last: a checkpoint without it was cut short
RECIPE_FILE = "training.json"
MAY_CHANGE = {"n_steps", "save_every", "log_every", "compile"}  # of a recipe, when a run is resumed


def start_or_resume(recipe: Recipe, out: Path, *, resume: bool) -> Path | None:
    """The newest complete checkpoint of ``out``, or None for a new run in a folder made for it.

    The recipe is put there at the start; a run goes on only as it began, but for its length and speed.
    """
    numbers = [int(f.parent.name.split("-")[-1]) for f in out.glob(f"checkpoint-*/{STAGE_FILE}")]
    if resume and not numbers:
        raise ValueError(f"nothing to resume in {out}: no complete checkpoint there; start in another folder")
    newest = out / f"checkpoint-{max(numbers)}" if resume else None
    if int(os.environ.get("RANK", "0")) > 0:
        return newest  # of several processes the first one looks after the folder
    if not resume and out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; choose another folder, or go on with its run: --resume")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error.strerror}; choose another folder") from None
    if resume and (out / RECIPE_FILE).is_file():
        began = json.loads((out / RECIPE_FILE).read_text(encoding="utf-8"))
        now = json.loads(json.dumps(asdict(recipe)))
        other = [name for name in began if name not in MAY_CHANGE and began[name] != now.get(name)]
        if other:
            was = ", ".join(f"{name}={began[name]}, now {now.get(name)}" for name in other)
            raise ValueError(
                f"the run in {out} began with {was}; resume it as it began, or start another folder"
            )
    write_whole(out / RECIPE_FILE, json.dumps(asdict(recipe), indent=2))
    return newest


@contextmanager
def full_disk_told(out: Path) -> Iterator[None]:
    """Say in one line that a checkpoint could not be written; the one before it is whole."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, RuntimeError):  # how torch's zip writer reports a failed write
            if "inline_container" not in reason:
                raise
            reason = "a checkpoint could not be written whole, the disk may be full"
        raise ValueError(
            f"cannot write to {out}: {reason}; make room there, then go on with --resume"
        ) from error


def save_model(model: LM2ForCausalLM, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Put config, tokenizer and weights into ``out``: each file whole, weights last."""
    with tempfile.TemporaryDirectory(prefix=".model.", dir=out) as name:
        folder = Path(name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for file in sorted(folder.iterdir(), key=lambda f: f.suffix == ".safetensors"):
            os.replace(file, out / file.name)
