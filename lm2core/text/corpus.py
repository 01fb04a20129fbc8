"""Text for language-model training: files, folders and hub data sets, read piece by piece.

A corpus is never held in memory: it is read in pieces of some thousand characters, in a fixed order.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import TextIO

from lm2core.errors import UserError

SUFFIXES = (".txt", ".md", ".jsonl")  # of the files read from a folder
LOCAL = f"give a file, or a folder with {', '.join(SUFFIXES)} files"
HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+(:\S+)?")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document, cut at a line break if possible."""

    text: str
    ends_document: bool


Corpus = Callable[[int], Iterator[Piece]]  # pieces of about the given number of characters, in order


def open_corpus(source: str) -> Corpus:
    """The text at ``source``, as a function that reads it once from the beginning.

    Parameters
    ----------
    source : str
        A file; a folder, whose .txt, .md and .jsonl files are read, sorted by path; or the id of a hub data
        set, ``owner/name`` or ``owner/name:configuration``, whose training split is streamed. A text file is
        one document; so is each line of a .jsonl file (its "text") and each row of a data set (its "text").

    Raises
    ------
    UserError
        When there is no such text. While reading: when a file is not UTF-8, a line or row has no "text", or
        a file or the hub can no longer be read.
    """
    path = Path(source)
    try:
        is_file, is_folder = path.is_file(), bool(source) and path.is_dir()
        found = sorted(path.rglob("*")) if is_folder else []
        files = [f for f in found if f.suffix in SUFFIXES and f.is_file()]
    except OSError as error:
        raise UserError(f"cannot look for text at {source[:80]}: {error.strerror}; {LOCAL}") from None
    if is_file:
        return lambda n_chars: _file_pieces(path, n_chars)
    if is_folder:
        if not files:
            raise UserError(f"{path} has no text files; {LOCAL}")
        return lambda n_chars: chain.from_iterable(_file_pieces(f, n_chars) for f in files)
    if not HUB_ID.fullmatch(source) or path.suffix in SUFFIXES:
        raise UserError(f"no text at {source!r}; {LOCAL}, or the id of a hub data set: owner/name")
    return _hub_corpus(source)


def _file_pieces(path: Path, n_chars: int) -> Iterator[Piece]:
    """The documents of one file; plain text unless it is .jsonl."""
    try:
        with path.open(encoding="utf-8") as file:
            if path.suffix == ".jsonl":
                for text in _json_texts(file, path):
                    yield from _pieces(io.StringIO(text), n_chars)
            else:
                yield from _pieces(file, n_chars)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}); convert or remove it") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; restore or remove it") from None


def _pieces(file: TextIO, n_chars: int) -> Iterator[Piece]:
    """The pieces of one document. A piece extends to the end of its line, up to twice ``n_chars``."""
    texts = iter(lambda: file.read(n_chars) + file.readline(n_chars), "")
    for text, following in pairwise(chain(texts, [""])):
        yield Piece(text, ends_document=not following)


def _json_texts(file: TextIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise UserError(f'{path}, line {number}: expected an object with a string, {{"text": "..."}}')
        yield text


def _hub_corpus(name: str) -> Corpus:
    from datasets import load_dataset  # type: ignore[import-untyped]  # slow to import, needed for hub data only

    owner_and_name, _, configuration = name.partition(":")
    try:
        rows = load_dataset(owner_and_name, configuration or None, split="train", streaming=True)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(
            f"{name!r} is not a file or folder, and cannot be opened as a hub data set: {reason}; {LOCAL}"
        ) from None

    def pieces(n_chars: int) -> Iterator[Piece]:
        try:
            for row in rows:
                if not isinstance(row.get("text"), str):
                    raise UserError(f"{name} has no column 'text', only: {', '.join(row)}; {LOCAL}")
                yield from _pieces(io.StringIO(row["text"]), n_chars)
        except OSError as error:
            reason = str(error).split("\n")[0]
            raise UserError(
                f"cannot read {name} from the hub: {reason}; try again later, or {LOCAL}"
            ) from None

    return pieces
