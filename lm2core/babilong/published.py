"""The published BABILong data sets, from the hub by id or from a folder with the same layout.

Source: RMT-team/babilong (100 samples per task and length) and RMT-team/babilong-1k-samples (1,000). In both,
a configuration is a length, a split is a task, and a row has ``input`` (facts in noise), ``question`` and
``target``. They do not say where in a text the facts are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lm2core.babilong.samples import BabiLongSample, Piece, parse_length
from lm2core.errors import UserError

BUILDERS = {".json": "json", ".jsonl": "json", ".parquet": "parquet"}  # of datasets, by a file's suffix
LOCAL = f"or give a folder with LENGTH/TASK.json, e.g. 4k/qa1.json ({', '.join(BUILDERS)})"
# Every sentence end counts: rows were joined by spaces, so each fact lies between two sentence ends.
_SENTENCE = re.compile(r"\S.*?(?:[.!?][\"')\]”’]*(?=\s|$)|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sentences:
    """A text, sentence by sentence."""

    text: str

    def __iter__(self) -> Iterator[Piece]:
        return (Piece(" ".join(match[0].split())) for match in _SENTENCE.finditer(self.text.rstrip()))


def read_published(source: str, *, task: str, length: str, n: int) -> list[BabiLongSample]:
    """The first ``n`` samples of a task and length.

    Parameters
    ----------
    source : str
        A folder with files LENGTH/TASK.json, .jsonl or .parquet, or anything the library ``datasets`` loads:
        the id of a hub data set, or a folder with a copy of one.

    Raises
    ------
    UserError
        When there is no such data set, task or length, the hub cannot be reached, or a row lacks a field.
    """
    parse_length(length)
    rows = islice(_rows(source, task, length), n)
    samples = [_sample(row, source, task, length) for row in rows]
    if not samples:
        raise UserError(f"{source} has no sample of {task} at {length}; choose another task or length")
    return samples


def check_published(source: str, *, task: str, length: str) -> None:
    """Check that the data set, task and length exist, without reading a row; raises a UserError if not."""
    parse_length(length)
    with _as_one_line(source, task, length):
        _open(source, task, length)


def _rows(source: str, task: str, length: str) -> Iterator[Mapping[str, Any]]:
    with _as_one_line(source, task, length):
        yield from _open(source, task, length)


def _open(source: str, task: str, length: str) -> Iterable[Mapping[str, Any]]:
    """The rows, read lazily."""
    from datasets import load_dataset  # type: ignore[import-untyped]  # slow to import

    files = [f for suffix in BUILDERS if (f := Path(source) / length / f"{task}{suffix}").is_file()]
    if files:
        builder = BUILDERS[files[0].suffix]
        return load_dataset(builder, data_files=str(files[0]), split="train", streaming=True)
    return load_dataset(source, length, split=task, streaming=True)


@contextmanager
def _as_one_line(source: str, task: str, length: str) -> Iterator[None]:
    """Turn an error of ``datasets`` into one line that says what to do."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"cannot read {task} at {length} from {source!r}: {reason}; {LOCAL}") from None


def _sample(row: Mapping[str, Any], source: str, task: str, length: str) -> BabiLongSample:
    text, question, target = (row.get(name) for name in ("input", "question", "target"))
    if not (isinstance(text, str) and isinstance(question, str) and isinstance(target, str)):
        raise UserError(
            f"{source}, {task} at {length}: a row needs the texts input, question and target, but has: "
            f"{', '.join(row)}; {LOCAL}"
        )
    return BabiLongSample(task, length, question.strip(), target.strip(), Sentences(text))
