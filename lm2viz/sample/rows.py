"""Banks of many stories as rows for analyses, with what was known at each: one row a story and sentence.

Facts come from the trace, which has them for generated stories, or from a table of one's own.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lm2core.byte_sizes import format_bytes, parse_bytes
from lm2core.errors import UserError
from lm2core.traces.mapped_arrays import MappedArrays
from lm2core.traces.trace import Trace
from lm2viz.progress import track
from lm2viz.sample.banks import BANK, Banks, StoredBanks

IN_MEMORY = "256MB"  # larger banks of files stay there, and are read where they are used
LABEL_COLUMNS = ("story", "segment", "fact", "value")
RECORD = "record them with: lm2 trace CHECKPOINT --story FILE --out run.safetensors --hooks 'mem.*,hook_bank'"


@dataclass(frozen=True, slots=True)
class BankRows:
    """The bank after each sentence.

    banks : of shape (n_rows, n_slots, n_dims), an ndarray or, where they are large, ``StoredBanks``
    story, segment : ndarrays of shape (n_rows,); stories count on over several traces
    facts : one row each and one column a fact; its value, or missing where it is not known
    since : the same shape, the segment since which it is known, or missing
    n_nan : rows that were left out because the bank is not finite there
    """

    banks: Banks
    story: NDArray[np.int_]
    segment: NDArray[np.int_]
    facts: pd.DataFrame
    since: pd.DataFrame
    n_nan: int = 0

    @property
    def n_stories(self) -> int:
        """Different stories among the rows."""
        return len(np.unique(self.story))

    def take(self, chosen: NDArray[Any]) -> "BankRows":
        """Some of the rows, by a mask or by indices."""
        facts, since = (frame.iloc[np.arange(len(frame))[chosen]] for frame in (self.facts, self.since))
        return BankRows(
            self.banks[chosen],
            self.story[chosen],
            self.segment[chosen],
            facts.reset_index(drop=True),
            since.reset_index(drop=True),
            self.n_nan,
        )


def as_traces(traces: Trace | Sequence[Trace], *, needs: Sequence[str] = ()) -> Iterator[Trace]:
    """The traces one by one, each of the same model and with the hooks that are needed.

    Raises
    ------
    UserError
        Naming missing hooks and the command that records them, or the models that are mixed; for a path.
    """
    if isinstance(traces, str | Path):
        opener = "Trace.load" if Path(traces).suffix == ".safetensors" else "TraceFolder"
        raise UserError(
            f"traces are needed, got the path {str(traces)!r}; open it: {opener}({str(traces)!r})"
        )
    first: Trace | None = None
    several = [traces] if isinstance(traces, Trace) else traces
    for trace in track(several, "going through traces", "trace"):
        missing = [name for name in needs if name not in trace.arrays]
        if missing:
            raise UserError(f"the trace lacks {', '.join(missing)}; {RECORD}")
        trace.check_is_whole(*needs)
        first = first or trace
        check_same_model(first, trace)
        yield trace


def check_same_model(one: Trace, other: Trace) -> None:
    """Refuse traces of two models, or of one with other weights, such as two checkpoints of a run.

    Raises
    ------
    UserError
        Naming both.
    """
    if _model(one) != _model(other):
        raise UserError(
            f"traces of different models: {_model(one)} and {_model(other)}; use those of one model"
        )
    if _config(one) != _config(other):
        raise UserError(f"traces of {_model(one)} with different configs; use those of one model")
    weights = [str(trace.info["weights"]) for trace in (one, other) if "weights" in trace.info]
    if len(set(weights)) > 1:  # a trace of an older version does not say
        raise UserError(
            f"traces of {_model(one)} with different weights ({' and '.join(weights)}), such as two "
            "checkpoints of a run; use those of one"
        )


def _config(trace: Trace) -> dict[str, Any]:
    """What the model is, whatever code saved it."""
    return {name: it for name, it in trace.info.get("config", {}).items() if name != "transformers_version"}


def _model(trace: Trace) -> str:
    return str(trace.info.get("model", "a model without a name"))


def bank_rows(
    traces: Trace | Sequence[Trace], labels: pd.DataFrame | None = None, *, budget: str = "2GB"
) -> BankRows:
    """The bank after every sentence of every story.

    labels : facts of one's own, as ``read_labels`` gives them, instead of those in the traces
    budget : how much memory the banks may take. Those of trace files that take more, or more than
        ``IN_MEMORY``, stay in their files

    Raises
    ------
    UserError
        When a trace has no ``hook_bank``, traces are of different models, banks that are not in files are
        larger than the budget, or none is finite; when a label is about a sentence that is not there. Where
        only some banks are not finite they are left out, with a warning.
    """
    places, is_finite, n_bytes, n_before = [], [], 0, 0
    known: list[dict[str, tuple[str, int]]] = []
    stories: list[tuple[Trace, int, int]] = []
    for trace in as_traces(traces, needs=[BANK]):
        for b, words in enumerate(trace.tokens):
            of_story = trace.select(BANK, story=b)[: len(words)]
            is_finite.append(np.isfinite(of_story).all(axis=(1, 2)))
            n_bytes += of_story.nbytes
            recorded_facts = _facts(trace, b)
            stories.append((trace, b, len(words)))
            places += [(n_before + b, s) for s in range(len(words))]
            known += recorded_facts or [{} for _ in words]
        n_before += len(trace.tokens)
        if not isinstance(trace.arrays, MappedArrays):
            _check_budget(n_before, n_bytes, budget)
    story, segment = np.array(places).T
    if labels is not None:
        known = _from_labels(labels, places)
    banks = _banks(stories, n_bytes, parse_bytes(budget))
    rows = BankRows(banks, story, segment, _frame(known, 0), _frame(known, 1))
    return _finite(rows, np.concatenate(is_finite))


def _check_budget(n_stories: int, n_bytes: int, budget: str) -> None:
    if n_bytes > parse_bytes(budget):
        raise UserError(
            f"the banks of {n_stories} stories take {format_bytes(n_bytes)}, the budget is {budget}; use "
            "fewer stories, or in Python bank_rows(traces, budget='8GB')"
        )


def _banks(stories: list[tuple[Trace, int, int]], n_bytes: int, allowed: int) -> Banks:
    """The banks of stories (trace, place in it, number of sentences); large ones stay in their files."""
    files = [(trace.arrays, b, n) for trace, b, n in stories if isinstance(trace.arrays, MappedArrays)]
    if len(files) == len(stories) and n_bytes > min(allowed, parse_bytes(IN_MEMORY)):
        return StoredBanks([(arrays, b, s) for arrays, b, n in files for s in range(n)])
    return np.concatenate([trace.select(BANK, story=b)[:n] for trace, b, n in stories])


def _finite(rows: BankRows, is_finite: NDArray[np.bool_]) -> BankRows:
    """The rows whose bank is finite; a warning where some are not, a UserError where none is."""
    if not is_finite.any():
        raise UserError("no bank of the trace is finite; the model overflows; check its gates")
    n_nan = int((~is_finite).sum())
    if not n_nan:
        return rows
    first = np.flatnonzero(~is_finite)[0]
    warnings.warn(
        f"{n_nan} of {len(is_finite)} banks left out because they are not finite; the first is of story "
        f"{rows.story[first]}, sentence {rows.segment[first]}",
        stacklevel=3,
    )
    return replace(rows.take(is_finite), n_nan=n_nan)


def with_labels(rows: BankRows, labels: pd.DataFrame) -> BankRows:
    """The same banks with facts of one's own instead; a UserError as ``bank_rows`` for labels."""
    known = _from_labels(labels, list(zip(rows.story.tolist(), rows.segment.tolist(), strict=True)))
    return replace(rows, facts=_frame(known, 0), since=_frame(known, 1))


def read_labels(path: str | Path) -> pd.DataFrame:
    """A table of facts of one's own: CSV with columns story, segment (from 0), fact, value.

    Raises
    ------
    UserError
        When it cannot be read or nothing is filled in; naming missing columns, or what has two values.
    """
    try:
        table = pd.read_csv(path, dtype={"fact": str, "value": str})
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read labels {path}: {error}; give a CSV file") from None
    missing = [name for name in LABEL_COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; it needs: {', '.join(LABEL_COLUMNS)}")
    table = table.dropna(subset=["fact", "value"])  # rows that were left blank
    for name in ("story", "segment"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if not (numbers >= 0).all() or (numbers % 1 != 0).any():
            raise UserError(f"{path}: column {name} must have whole numbers from 0 in every row with a fact")
        table = table.assign(**{name: numbers.astype(int)})
    if table.empty:
        raise UserError(
            f"{path}: no row has both a fact and a value; fill in these columns where you know them"
        )
    again = table[table.duplicated(["story", "segment", "fact"])]
    if len(again):
        story, segment, fact = again.iloc[0][["story", "segment", "fact"]]
        raise UserError(f"{path}: story {story}, segment {segment} has {fact!r} twice; give one value each")
    return table


def check_labels(labels: pd.DataFrame, n_segments_by_story: Sequence[int]) -> None:
    """Refuse a table of ``read_labels`` about what is not there; needs the stories' sizes, not their banks.

    Raises
    ------
    UserError
        For the first label of a story or a segment that is not there, with those that are.
    """
    n_stories = len(n_segments_by_story)
    for story, segment in labels[["story", "segment"]].itertuples(index=False):
        if not 0 <= story < n_stories:
            raise UserError(
                f"a label is about story {story}; these are 0 to {n_stories - 1}; read more, or omit it"
            )
        if not 0 <= segment < n_segments_by_story[story]:
            raise UserError(
                f"a label is about segment {segment} of story {story}, which has 0 to "
                f"{n_segments_by_story[story] - 1}; number its sentences from 0"
            )


def _facts(trace: Trace, story: int) -> list[dict[str, tuple[str, int]]] | None:
    stories = trace.info.get("stories")
    facts: list[dict[str, tuple[str, int]]] | None = stories[story]["facts"] if stories else None
    return facts


def _from_labels(labels: pd.DataFrame, places: Sequence[tuple[int, int]]) -> list[dict[str, tuple[str, int]]]:
    """Facts of each place; a fact holds since the first of the segments in a row that give it this value."""
    check_labels(labels, [s + 1 for s in dict(places).values()])  # dict: the last segment of each story
    given: dict[tuple[int, int], dict[str, str]] = {}
    for story, segment, fact, value in labels[list(LABEL_COLUMNS)].itertuples(index=False):
        given.setdefault((int(story), int(segment)), {})[fact] = value
    known: list[dict[str, tuple[str, int]]] = []
    for i, (story, segment) in enumerate(places):
        before = known[i - 1] if segment else {}
        known.append(
            {
                fact: before[fact] if before.get(fact, ("", 0))[0] == value else (value, segment)
                for fact, value in given.get((story, segment), {}).items()
            }
        )
    return known


def _frame(known: Sequence[dict[str, tuple[str, int]]], part: int) -> pd.DataFrame:
    names = sorted({name for facts in known for name in facts})
    return pd.DataFrame(
        [[facts[name][part] if name in facts else None for name in names] for facts in known],
        columns=names,
        dtype=object,
    )
