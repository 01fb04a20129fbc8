"""Agreement: whether a question is traced back to the sentences that its answer follows from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.provenance import agreement_bars
from lm2viz.progress import track
from lm2viz.provenance.answers import METHODS, Provenance, trace_through_parts
from lm2viz.provenance.decomposition import decompositions
from lm2viz.provenance.traces import paired_traces

Traces = Trace | Sequence[Trace]
MEASURES = {"all_found": "all supports in the top k", "precision": "precision at k"}
QUESTIONS = {"all": "all questions", "right": "questions answered right"}
SUPPORTING_FACTS = "the story's supporting facts"
_CONTROL = "any_slot"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the top k sentences are the supports; k is the number of supports of a question.

    rows : one row per estimate: ``method``, ``questions`` and ``measure``, keys of ``METHODS``, ``QUESTIONS``
        and ``MEASURES``; ``value`` with interval ``low`` to ``high``, ``n``; ``chance``, the exact value for
        a random ranking of the sentences before each question; ``any_slot``, the control that every slot of
        the same banks is read equally, with its interval
    untrained : the same for an untrained model, or None
    truth : what counts as support
    error : the largest error, as in ``SlotSources``
    n_nan, n_without : questions excluded for scores that are not finite, and for lack of supports
    """

    rows: pd.DataFrame
    untrained: pd.DataFrame | None
    truth: str
    follow: str
    n_stories: int
    error: float
    n_nan: int
    n_without: int

    def estimate(
        self, measure: str = "all_found", *, method: str = "origin", questions: str = "all"
    ) -> Estimate:
        """One of the estimates; KeyError if it does not exist, e.g. when no question was answered right."""
        row = self.rows.set_index(["measure", "method", "questions"]).loc[(measure, method, questions)]
        return _estimate(row)

    def summary(self) -> str:
        """Each method by questions and measure; what they share is stated once."""
        lines = [
            f"Answers traced to sentences, scored against {self.truth}: {self.n_stories} stories, following "
            f"{self.follow}, 95 % intervals over stories"
        ]
        table = self.table()
        every = table[table["questions"] == "all"]
        for questions, named in QUESTIONS.items():
            rows = table[table["questions"] == questions]
            if questions != "all" and len(rows) and rows["n"].iloc[0] == every["n"].iloc[0]:
                lines.append(f"{named}: the same, all questions")
                continue
            of_measure = [rows[rows["measure"] == measure] for measure in MEASURES if len(rows)]
            if len(of_measure) == 2 and _are_alike(*of_measure):  # every question has one support, so k is 1
                lines += self._lines(f"{named}, {' and '.join(MEASURES.values())} alike", of_measure[0])
                continue
            for measure, some in zip(MEASURES.values(), of_measure, strict=False):
                lines += self._lines(f"{named}, {measure}", some)
        lines.append(f"the parts add up to the bank to within {self.error:.1e}")
        excluded = {"not finite": self.n_nan, "without supports": self.n_without}
        return "\n".join([*lines, *(f"excluded: {n} questions ({why})" for why, n in excluded.items() if n)])

    def _lines(self, heading: str, rows: pd.DataFrame) -> list[str]:
        """The heading with the controls that all methods share, then one line per method."""
        first = rows.iloc[0]
        lines = [
            f"{heading}; chance {first['chance']:.1%}, every slot read equally {_share(first, _CONTROL)}"
        ]
        for _, row in rows.iterrows():
            control = "" if self.untrained is None else f"; untrained {_share(row, 'untrained')}"
            lines.append(f"  {METHODS[row['method']]}: {_estimate(row).as_share()}{control}")
        return lines

    def table(self) -> pd.DataFrame:
        """One row per estimate; ``untrained`` holds that of the untrained model over all questions."""
        if self.untrained is None:
            return self.rows
        keys = ["method", "measure"]
        control = self.untrained[self.untrained["questions"] == "all"]
        names = {"value": "untrained", **{name: f"untrained_{name}" for name in ("low", "high", "n")}}
        return self.rows.merge(control[[*keys, *names]].rename(columns=names), on=keys, how="left")

    def figure(self) -> go.Figure:
        """Bars for all questions, with chance and the controls."""
        table = self.table()
        rows = table[table["questions"] == "all"]
        names = [
            f"{METHODS[method]}<br>{MEASURES[measure]}"
            for method, measure in zip(rows["method"], rows["measure"], strict=True)
        ]
        controls = {"chance": rows["chance"], "every slot read equally": rows["any_slot"]}
        if self.untrained is not None:
            controls["untrained model"] = rows["untrained"]
        value, low, high = (rows[name].to_numpy() for name in ("value", "low", "high"))
        return agreement_bars(names, value, low, high, {name: x.to_numpy() for name, x in controls.items()})


def agreement(
    traces: Traces,
    question_trace: Traces,
    *,
    follow: str = "copies",
    untrained: tuple[Traces, Traces] | None = None,
    truth: str = SUPPORTING_FACTS,
    seed: int = 0,
) -> Agreement:
    """Measure how often questions are traced back to their supporting sentences.

    Parameters
    ----------
    traces : stories, one sentence per segment; see ``read_stories``
    question_trace : the questions of each trace; see ``record_questions``
    follow : see ``decompositions``; it does not affect the method "written"
    untrained : both traces for an untrained model of the same size, as control
    truth : what the supports of the questions are, in words; see ``SentenceAblation.as_supports``
    seed : of the intervals

    Raises
    ------
    UserError
        As ``paired_traces``, and when no question has known supports and finite scores.
    """
    measured = _measured(traces, question_trace, follow, truth, seed)
    if untrained is None:
        return measured
    return replace(measured, untrained=_measured(*untrained, follow, truth, seed).rows)


def _measured(traces: Traces, question_trace: Traces, follow: str, truth: str, seed: int) -> Agreement:
    case_rows, n_without = [], 0
    for n, pair in enumerate(paired_traces(traces, question_trace, follow)):
        n_without += sum(not question["support"] for question in pair[1].info["asked"])
        case_rows += [
            _case(n, provenance, question) for provenance, question in _each_question(*pair, follow)
        ]
    cases = pd.DataFrame(case_rows)
    finite = cases[np.isfinite(cases["error"])] if len(cases) else cases
    if finite.empty:
        raise UserError("no question with known supports and finite scores; use stories of lm2core.babi")
    chosen = {"all": finite, "right": finite[finite["is_right"]]}
    rows = [
        _row(some, method, measure, seed) | {"questions": questions}
        for method in METHODS
        if f"precision {method}" in finite
        for questions, some in chosen.items()
        for measure in (MEASURES if len(some) else ())
    ]
    return Agreement(
        pd.DataFrame(rows),
        None,
        truth,
        follow,
        finite["story"].nunique(),
        float(finite["error"].max()),
        len(cases) - len(finite),
        n_without,
    )


def _each_question(
    trace: Trace, question_trace: Trace, follow: str
) -> Iterator[tuple[Provenance, dict[str, Any]]]:
    """Trace every question that has supports; each story is unrolled once."""
    by_story: dict[int, dict[int, list[int]]] = {}
    for i, question in enumerate(question_trace.info["asked"]):
        if question["support"]:
            by_story.setdefault(question["story"], {}).setdefault(question["n_statements"], []).append(i)
    for story, at in track(by_story.items(), "tracing reads to sentences", "story"):
        for n_read, parts in enumerate(decompositions(trace, story, max(at), follow), start=1):
            for i in at.get(n_read, []):
                yield trace_through_parts(trace, question_trace, i, parts), question_trace.info["asked"][i]


def _case(n_trace: int, provenance: Provenance, question: dict[str, Any]) -> dict[str, Any]:
    """The scores of one question by each method, and the expected scores of a random ranking."""
    n_sentences, n_supports = len(provenance.sources) - 1, len(provenance.support)
    is_finite = np.isfinite([provenance.written, provenance.origin]).all()
    case = {
        "story": f"{n_trace}/{question['story']}",
        "is_right": question["given"] == question["answer"],
        "error": provenance.error if is_finite else np.nan,
        "precision chance": n_supports / n_sentences,
        "all_found chance": 1 / comb(n_sentences, n_supports),
    }
    for method in (*METHODS, _CONTROL):
        if method == "mattered" and provenance.mattered is None:
            continue
        precision = provenance.precision(method)
        case |= {f"precision {method}": precision, f"all_found {method}": float(precision == 1)}
    return case


def _row(cases: pd.DataFrame, method: str, measure: str, seed: int) -> dict[str, Any]:
    estimate, control = (
        mean(cases[f"{measure} {name}"], groups=cases["story"], seed=seed, within=(0, 1))
        for name in (method, _CONTROL)
    )
    return {
        "method": method,
        "measure": measure,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "chance": float(cases[f"{measure} chance"].mean()),
        _CONTROL: control.value,
        f"{_CONTROL}_low": control.low,
        f"{_CONTROL}_high": control.high,
    }


def _are_alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two measures came out the same."""
    numbers = [name for name in one if name not in ("method", "measure", "questions")]
    return bool(np.array_equal(one[numbers].to_numpy(float), other[numbers].to_numpy(float), equal_nan=True))


def _share(row: Any, name: str) -> str:
    n = int(row.get(f"{name}_n", row["n"]))
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], n).as_share()


def _estimate(row: Any) -> Estimate:
    return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]))
