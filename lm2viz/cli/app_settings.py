"""What the operator of a server sets for the app, in environment variables. Only this module reads them.

``lm2 app`` reads them before it starts, so that a bad value stops it with one line. Pages read them again
where they act, and so a server that was started in another way keeps to them too.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lm2core.byte_sizes import parse_bytes
from lm2core.errors import UserError
from lm2core.reading.backbones import CACHE_VARIABLE

MIN_TOKEN = 12  # characters: too many to be guessed through a web page
NAMES = (
    "LM2_TRAINING",
    "LM2_PATHS",
    "LM2_MAX_RUNS",
    "LM2_MAX_BYTES",
    "LM2_TOKEN",
    "LM2_CHECKPOINTS",
    "LM2_RUNS",
)


@dataclass(frozen=True)
class AppSettings:
    """What visitors may do on this server, and where it keeps files.

    can_train : whether runs can be started and resumed
    can_type_paths : whether checkpoint folders can be opened by their path on the server
    max_runs : how many runs the folder of runs may hold, from 1; None is no limit
    max_bytes : how many bytes the folder of runs may hold; None is no limit
    token : whoever types it can stop, resume and delete the runs of others; None: nobody can
    checkpoints : the folder under which checkpoints can be opened
    runs : the folder of training runs
    """

    can_train: bool
    can_type_paths: bool
    max_runs: int | None
    max_bytes: int | None
    token: str | None
    checkpoints: Path
    runs: Path


def read_settings(environment: Mapping[str, str] = os.environ) -> AppSettings:
    """The settings; an empty value means the default, as if it were not set.

    Raises
    ------
    UserError
        For a value that is not allowed. The message names the variable, but never shows a token.
    """
    given = {name: environment[name].strip() for name in NAMES if environment.get(name, "").strip()}
    return AppSettings(
        can_train=_switch(given, "LM2_TRAINING"),
        can_type_paths=_switch(given, "LM2_PATHS"),
        max_runs=_count(given, "LM2_MAX_RUNS"),
        max_bytes=_size(given, "LM2_MAX_BYTES"),
        token=_token(given),
        checkpoints=Path(given.get("LM2_CHECKPOINTS") or Path.cwd()).resolve(),
        runs=Path(given.get("LM2_RUNS") or Path.home() / ".lm2" / "runs").resolve(),
    )


def check_settings(environment: Mapping[str, str] = os.environ) -> None:
    """Before a server starts: the values, the folders, and that no name is misspelt.

    Raises
    ------
    UserError
        Also for a variable ``LM2_...`` that nothing here reads: a misspelt switch would switch nothing off.
    """
    known = (*NAMES, CACHE_VARIABLE)
    unknown = sorted(name for name in environment if name.startswith("LM2_") and name not in known)
    if unknown:
        raise UserError(f"{unknown[0]} is not a setting of the app; the settings are {', '.join(NAMES)}")
    settings = read_settings(environment)
    if not settings.checkpoints.is_dir():
        raise UserError(f"LM2_CHECKPOINTS={settings.checkpoints} is not a folder; give one that exists")
    if settings.runs.exists() and not settings.runs.is_dir():
        raise UserError(f"LM2_RUNS={settings.runs} is a file; give a folder, which is made when needed")


def _switch(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "on").lower()
    if value not in ("on", "off"):
        raise UserError(f"{name}={given[name]} is neither on nor off; give one of these")
    return value == "on"


def _count(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    if not (given[name].isdecimal() and int(given[name]) > 0):
        raise UserError(f"{name}={given[name]} is not a number from 1; to allow no run, set LM2_TRAINING=off")
    return int(given[name])


def _size(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    try:
        return parse_bytes(given[name])
    except UserError:
        raise UserError(
            f"{name}={given[name]} is not a size; write a number and KB, MB or GB, e.g. 2GB"
        ) from None


def _token(given: Mapping[str, str]) -> str | None:
    token = given.get("LM2_TOKEN")
    if token is not None and len(token) < MIN_TOKEN:
        raise UserError(f"LM2_TOKEN has {len(token)} characters; give at least {MIN_TOKEN}")
    return token
