"""Write files whole or not at all: under a temporary name in the same folder, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lm2core.errors import UserError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces the file ``path`` when the block ends without error.

    On any error the temporary file is removed and ``path`` is left unchanged.

    Raises
    ------
    UserError
        When ``path`` is a folder, its folder is missing or not writable, or the disk is full.
    """
    goal = Path(path)
    if goal.is_dir():
        raise UserError(f"cannot write {goal}: it is a folder; name a file")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{goal.name}.", dir=goal.parent))
    except OSError as error:
        raise UserError(f"cannot write {goal}: {error.strerror}; choose another path") from None
    try:
        yield folder / goal.name
        os.replace(folder / goal.name, goal)
    except OSError as error:
        raise UserError(f"cannot write {goal}: {error.strerror or error}; nothing was written") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_atomically(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
