"""A user's table of facts about generated stories, and what probes find with it.

Deliberately without a cache: caches are shared by all users, and an upload belongs to one. It stays in the
user's session.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import streamlit as st

from app.loaders.sample import load_both
from lm2core.errors import UserError
from lm2viz.probes import SlotFacts
from lm2viz.probes.by_fact import probe_fact, side_by_side
from lm2viz.progress import track
from lm2viz.sample.labels import check_size, label_template
from lm2viz.sample.rows import LABEL_COLUMNS, read_labels, with_labels
from lm2viz.sample.story_sample import StorySample

MAX_MEGABYTES = 2
_LABELS = "probe_labels"  # of the session; no widget has this key


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be an argument of wait_for
class UserLabels:
    """A table about stories of a task, the name of its file, and the results for it so far."""

    name: str
    task: str
    table: pd.DataFrame
    results: dict[tuple[str, StorySample, str], SlotFacts | None] = field(default_factory=dict)


def open_labels(name: str, data: bytes, task: str) -> UserLabels:
    """Keep a table for this user.

    Raises
    ------
    UserError
        In one line: not CSV, too large, missing columns, or too many facts or values.
    """
    if len(data) > MAX_MEGABYTES * 1_000_000:
        raise UserError(
            f"the file has {len(data) / 1e6:.1f} MB; at most {MAX_MEGABYTES} MB are read; give fewer rows"
        )
    user_labels = UserLabels(name, task, _read(data))
    check_size(user_labels.table)
    st.session_state[_LABELS] = user_labels
    return user_labels


def labels_for_task(user_labels: UserLabels, task: str) -> pd.DataFrame:
    """The filled rows of a user's table; UserError when they are about stories of another task."""
    if user_labels.task != task:
        raise UserError(
            f"these labels are about stories of {user_labels.task}, not {task}; choose {user_labels.task}, "
            "or close them"
        )
    return user_labels.table


def opened_labels() -> UserLabels | None:
    """The table this user opened."""
    retained: UserLabels | None = st.session_state.get(_LABELS)
    return retained


def close_labels() -> None:
    """Forget the user's table."""
    st.session_state.pop(_LABELS, None)


def probe_label(user_labels: UserLabels, model: str, sample: StorySample, fact: str) -> SlotFacts | None:
    """Probes of every slot for one fact of the table; None where it cannot be probed."""
    task, place = str(sample.source), (model, sample, fact)
    if place not in user_labels.results:
        table = labels_for_task(user_labels, task)
        rows, control = (with_labels(rows, table) for rows in load_both(model, sample))
        user_labels.results[place] = probe_fact(rows, control, fact)
    return user_labels.results[place]


def probe_labels(
    user_labels: UserLabels, model: str, sample: StorySample, facts: tuple[str, ...]
) -> SlotFacts:
    """Probes of every slot for each of the facts; UserError when none can be probed."""
    return side_by_side(
        {
            fact: probe_label(user_labels, model, sample, fact)
            for fact in track(facts, "probing facts", "fact")
        }
    )


@st.cache_data(max_entries=10)
def template_file(sample: StorySample) -> bytes:
    """The sentences of the sample as CSV, with columns to fill in."""
    return label_template([story.sentences for story in sample.stories]).to_csv(index=False).encode()


def _read(data: bytes) -> pd.DataFrame:
    """The table of uploaded bytes. The file name is ours: that of an upload may be anything."""
    wanted = f"give a CSV file with columns {', '.join(LABEL_COLUMNS)}"
    if b"\0" in data:
        raise UserError(f"the file is not text; {wanted}")
    with tempfile.TemporaryDirectory(prefix="lm2-labels-") as folder:
        path = Path(folder) / "labels.csv"
        try:
            path.write_bytes(data)
            return read_labels(path)
        except OSError as error:
            raise UserError(f"the server cannot store the file: {error.strerror}; try again later") from None
        except UserError as error:
            raise UserError(str(error).replace(str(path), "the file")) from None
