"""Where the published files are."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def published(babi_dir) -> Callable[[str], Path]:
    """The published training file of a task."""
    return lambda task: next(babi_dir.glob(f"{task}_*_train.txt"))
