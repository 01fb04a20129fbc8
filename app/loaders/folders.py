"""Checkpoint folders on the server that a user opened, seen by that user and by whoever has a link.

Only folders that the server's operator allows can be opened: those under ``LM2_CHECKPOINTS`` (by default the
folder the server was started in) unless ``LM2_PATHS`` is off, and its training runs. Links that lead out of
them are not followed.
Weights are read with safetensors only, no code of a folder is run, and pickled weights are refused.

A model's name is its path and a checksum of its files, ``./runs/first@1a2b3c4d``, so that caches tell it from
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
from lm2viz.cli.app_settings import read_settings

HERE, RUN = "./", "run:"  # prefixes of names
MAX_CHECKPOINT_GB = 4  # of weights; all users share the server's memory
MAX_OPENED = 8  # folders that a user has open
PATHS_OFF = "Opening folders is switched off on this server: its operator set LM2_PATHS=off."
_OPENED = "opened_folders"  # of the session: names, newest last


def roots() -> dict[str, Path]:
    """The folders that may be opened, by the prefix of their names."""
    settings = read_settings()
    return {HERE: settings.checkpoints, RUN: settings.runs}


def can_type_paths() -> bool:
    """Whether this server opens folders by their path."""
    return read_settings().can_type_paths


def is_folder_name(model: str) -> bool:
    """Whether the name of a model is that of a folder."""
    return model.startswith((HERE, RUN))


def name_folder(typed: str) -> str:
    """The name of the model in a typed folder, which is absolute or relative to an allowed folder.

    Raises
    ------
    UserError
        When it is outside, has no checkpoint, is too large, or the server opens training runs alone.
    """
    typed, places = typed.strip(), roots()
    if not typed.startswith(RUN) and not can_type_paths():
        raise UserError(PATHS_OFF)
    if not Path(typed).is_absolute():
        start = RUN if typed.startswith(RUN) else HERE
        places = {start: places[start]}
    for start, root in places.items():
        folder = _inside(root, typed.removeprefix(start))
        if folder is not None:
            return f"{start}{folder.relative_to(root)}@{_checksum(folder, root)}"
    raise UserError(
        f"folders are opened only under {roots()[HERE]}; move the checkpoint there, or set LM2_CHECKPOINTS "
        "to its folder and restart the server"
    )


def _inside(root: Path, typed: str) -> Path | None:
    """The folder with all links resolved, or None where that is outside ``root``."""
    try:
        folder = (root / typed).resolve()
    except (OSError, ValueError, RuntimeError):  # a name too long, a null byte, circular links
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
            f"no checkpoint in {folder.relative_to(root)}; give a folder with the config.json and "
            "*.safetensors that 'lm2 train' or save_pretrained wrote"
        )
    size = sum(status.st_size for _, status in files)
    if size > MAX_CHECKPOINT_GB * 1e9:
        raise UserError(
            f"the checkpoint has {size / 1e9:.1f} GB; this server opens up to {MAX_CHECKPOINT_GB} GB"
        )
    signature = repr([(name, status.st_size, status.st_mtime_ns) for name, status in files])
    return hashlib.sha256(signature.encode()).hexdigest()[:8]


def _files_of(folder: Path, root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files of a model; UserError for a link to a file outside."""
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        if not file.resolve().is_relative_to(root):
            raise UserError(f"{file.name} is a link to a file outside the folder; put the file itself there")
        yield file.name, file.stat()


def folder_of(name: str) -> Path:
    """The folder of a model's name; UserError when it has changed, is gone, or is outside."""
    typed = name.rpartition("@")[0]
    start = RUN if name.startswith(RUN) else HERE
    if name_folder(typed) != name:
        raise UserError(f"{typed} has changed since it was opened; open it again")
    return roots()[start] / typed.removeprefix(start)


def place_of(model: str) -> str:
    """What Python loads a model of the app by: its name, or its folder relative to the allowed folder."""
    return model.rpartition("@")[0].removeprefix(RUN) if is_folder_name(model) else model


def load_folder(name: str) -> LoadedModel:
    """The model of an opened folder, under its name; errors do not reveal where the folder is."""
    folder = folder_of(name)
    try:
        return replace(load(str(folder)), name=name)
    except UserError as error:
        raise UserError(str(error).replace(str(folder), name.rpartition("@")[0])) from None


def opened_folders() -> list[str]:
    """Names of the folders this user opened that have not changed since."""
    return [name for name in st.session_state.get(_OPENED, []) if is_there(name)]


def is_there(name: str) -> bool:
    """Whether the folder of a model's name has not changed."""
    try:
        folder_of(name)
    except UserError:
        return False
    return True


def add_folder(name: str) -> None:
    """Add a folder to this user's models; the oldest is removed when there are too many."""
    others = [other for other in opened_folders() if other != name]
    st.session_state[_OPENED] = [*others, name][-MAX_OPENED:]


def close_folder(name: str) -> None:
    """Remove a folder from this user's models."""
    st.session_state[_OPENED] = [other for other in opened_folders() if other != name]
