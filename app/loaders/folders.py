"""Checkpoint folders on the server's disk that a visitor opened. Who opened one sees it, and who has a link.

A folder is opened only where the server's owner allows it: under ``LM2_CHECKPOINTS``, or without that under
the folder the server was started in, and among its training runs. Links that lead out are not followed.
Weights are read with safetensors only, no code of a folder is run, and pickled weights are refused.

A model's name is its place and a mark of its files, ``./runs/first@1a2b3c4d``: caches keep it apart from
what the folder holds later. A link with such a name opens nothing that typing the folder would not.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import streamlit as st

from lm2core.errors import UserError
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel

HERE, RUN = "./", "run:"  # what a name begins with
MAX_CHECKPOINT_GB = 4  # of weights; all visitors share the server's memory
MAX_OPENED = 8  # folders a visitor has open
_OPENED = "opened_folders"  # of the session: names, newest last


def roots() -> dict[str, Path]:
    """What the names of folders begin with, and where it is."""
    allowed = Path(os.environ.get("LM2_CHECKPOINTS") or Path.cwd())
    return {HERE: allowed.resolve(), RUN: runs_root()}


def runs_root() -> Path:
    """Where training runs of the server are: ``LM2_RUNS``, or ``~/.lm2/runs``."""
    return Path(os.environ.get("LM2_RUNS") or Path.home() / ".lm2" / "runs").resolve()


def is_folder_name(model: str) -> bool:
    """Whether the name of a model is that of a folder."""
    return model.startswith((HERE, RUN))


def name_folder(typed: str) -> str:
    """The name of the model in a folder that was typed: relative to where folders may be, or absolute.

    Raises
    ------
    UserError
        When it is outside, is none, or is too large.
    """
    typed, places = typed.strip(), roots()
    if not Path(typed).is_absolute():
        start = RUN if typed.startswith(RUN) else HERE
        places = {start: places[start]}
    for start, root in places.items():
        folder = _inside(root, typed.removeprefix(start))
        if folder is not None:
            return f"{start}{folder.relative_to(root)}@{_checksum(folder, root)}"
    raise UserError(
        f"folders are opened only under {roots()[HERE]}; move the checkpoint there, or start the server with "
        "LM2_CHECKPOINTS set to where it is"
    )


def _inside(root: Path, typed: str) -> Path | None:
    """The folder with every link followed, or None where that is outside of ``root``."""
    try:
        folder = (root / typed).resolve()
    except (OSError, ValueError, RuntimeError):  # a name too long, a null byte, links in a circle
        return None
    return folder if folder.is_relative_to(root) else None


def _checksum(folder: Path, root: Path) -> str:
    """Eight characters that change with the files of a checkpoint."""
    try:
        files = list(_files_of(folder, root))
    except OSError:
        files = []
    if not files:
        raise UserError(
            f"no checkpoint in {folder.relative_to(root)}: give a folder with the config.json and "
            "*.safetensors that 'lm2 train' or save_pretrained wrote"
        )
    size = sum(status.st_size for _, status in files)
    if size > MAX_CHECKPOINT_GB * 1e9:
        raise UserError(
            f"the checkpoint has {size / 1e9:.1f} GB; this server opens up to {MAX_CHECKPOINT_GB}"
        )
    signature = repr([(name, status.st_size, status.st_mtime_ns) for name, status in files])
    return hashlib.sha256(signature.encode()).hexdigest()[:8]


def _files_of(folder: Path, root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What a model is made of; a UserError for a link that leads out."""
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        if not file.resolve().is_relative_to(root):
            raise UserError(f"{file.name} is a link that leads out; put the file itself there")
        yield file.name, file.stat()


def folder_of(name: str) -> Path:
    """The folder of a model's name; a UserError when it changed, is gone, or is outside."""
    typed = name.rpartition("@")[0]
    start = RUN if name.startswith(RUN) else HERE
    if name_folder(typed) != name:
        raise UserError(f"{typed} has changed since it was opened; open it again")
    return roots()[start] / typed.removeprefix(start)


def place_of(model: str) -> str:
    """Where Python opens a model of the app: its name, or its folder seen from where it is kept."""
    return model.rpartition("@")[0].removeprefix(RUN) if is_folder_name(model) else model


def load_folder(name: str) -> LoadedModel:
    """The model of an opened folder, under its name; a UserError that does not tell where it is kept."""
    folder = folder_of(name)
    try:
        return replace(load(str(folder)), name=name)
    except UserError as error:
        raise UserError(str(error).replace(str(folder), name.rpartition("@")[0])) from None


def opened_folders() -> list[str]:
    """Names of the folders this visitor opened that are still as they were."""
    return [name for name in st.session_state.get(_OPENED, []) if is_there(name)]


def is_there(name: str) -> bool:
    """Whether the folder of a model's name is as it was."""
    try:
        folder_of(name)
    except UserError:
        return False
    return True


def add_folder(name: str) -> None:
    """Put a folder among this visitor's models; the oldest is put away when there are too many."""
    others = [other for other in opened_folders() if other != name]
    st.session_state[_OPENED] = [*others, name][-MAX_OPENED:]


def close_folder(name: str) -> None:
    """Take a folder from this visitor's models."""
    st.session_state[_OPENED] = [other for other in opened_folders() if other != name]
