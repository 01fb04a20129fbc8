"""Uploads and downloads as bytes: traces, stories and labels in; trace, report and table out.

Deliberately without a cache: caches are shared by all users, and an upload belongs to one. It stays in the
user's session. Nothing is unpickled or unpacked: safetensors reads traces, the rest is text.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import streamlit as st

from app.loaders.stories import check_story
from lm2core.babi.text import read_babi, read_sentences
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.sample.rows import read_labels
from lm2viz.story.from_file import check_shown, known_facts_table, select_story, writes_table
from lm2viz.story.report import write_report

T = TypeVar("T")
_TRACE, _LABELS = "opened_trace", "opened_labels"  # of the session; no widget has these keys
MAX_TRACE_MEGABYTES = 100  # a story of 400 sentences takes 74
_BROKEN = "the file is nested too deeply or too large to be read; record it again"


@dataclass(frozen=True)
class UploadedTrace:
    """A trace file of this user, and its name."""

    name: str
    trace: Trace


def open_trace(name: str, data: bytes) -> UploadedTrace:
    """Open a trace file and keep it for this user; labels of another trace are closed.

    Raises
    ------
    UserError
        When it is not a complete trace of this schema, or cannot be shown.
    """
    trace = _read(data, "trace.safetensors", Trace.load)
    check_shown(trace)
    known_facts_table(trace)
    close_labels()
    retained = st.session_state[_TRACE] = UploadedTrace(name, trace)
    return retained


def uploaded_trace() -> UploadedTrace | None:
    """The trace this user opened."""
    uploaded: UploadedTrace | None = st.session_state.get(_TRACE)
    return uploaded


def close_trace() -> None:
    """Forget the user's trace and labels."""
    st.session_state.pop(_TRACE, None)
    close_labels()


def open_labels(data: bytes) -> None:
    """Open a table of facts about the opened trace; UserError when it is not one or does not fit."""
    labels = _read(data, "labels.csv", read_labels)
    opened = uploaded_trace()
    if opened is not None:
        known_facts_table(opened.trace, labels)
    st.session_state[_LABELS] = labels


def close_labels() -> None:
    """Go back to the facts in the trace."""
    st.session_state.pop(_LABELS, None)


def facts_after(trace: Trace, story: int, step: int) -> pd.DataFrame:
    """Facts after ``step`` sentences of a story: name, value, and since which sentence it is known."""
    known = known_facts_table(trace, st.session_state.get(_LABELS))
    here = known[(known["story"] == story) & (known["segment"] == step - 1)]
    since = here["since"].astype(int) + 1
    return pd.DataFrame({"fact": here["fact"], "value": here["value"], "since sentence": since})


def has_labels() -> bool:
    """Whether the facts shown are this user's labels."""
    return _LABELS in st.session_state


def open_stories(data: bytes) -> list[tuple[str, ...]]:
    """Stories of a text file, as sentences: one sentence per line, or a bAbI file, which numbers its lines.

    Raises
    ------
    UserError
        When it is not text, has no sentence, or a story is longer than the pages can show.
    """
    is_babi = data.lstrip()[:1].isdigit()
    read = _babi_sentences if is_babi else _plain_sentences
    stories = [story for story in _read(data, "story.txt", read) if story]
    for story in stories:
        check_story(story)
    if not stories:
        raise UserError("the file has no story; write one sentence per line")
    return stories


def _babi_sentences(path: Path) -> list[tuple[str, ...]]:
    return [story.sentences for story in read_babi(path)]


def _plain_sentences(path: Path) -> list[tuple[str, ...]]:
    return [read_sentences(path)]


def _read(data: bytes, name: str, read: Callable[[Path], T]) -> T:
    """Read uploaded bytes with a function that reads files. The name is ours: an upload's may be anything."""
    with tempfile.TemporaryDirectory(prefix="lm2-upload-") as folder:
        path = Path(folder) / name
        try:
            path.write_bytes(data)
            return read(path)
        except OSError as error:
            raise UserError(f"the server cannot store the file: {error.strerror}; try again later") from None
        except UserError as error:
            raise UserError(str(error).replace(str(path), "the file")) from None
        except (RecursionError, MemoryError):
            raise UserError(_BROKEN) from None


def trace_file(trace: Trace) -> bytes:
    """The trace as the bytes of its file."""
    return _written("trace.safetensors", trace.save)


def report_file(trace: Trace) -> bytes:
    """The report on a trace of one story, which opens offline."""
    return _written("report.html", lambda path: write_report(path, trace))


def table_file(trace: Trace) -> bytes:
    """How strongly each word wrote to each slot, as CSV."""
    return writes_table(trace).to_csv(index=False).encode()


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lm2-download-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def story_of(opened: UploadedTrace, story: int) -> Trace:
    """One story of the opened trace."""
    return select_story(opened.trace, story)
