"""Which sentence put the answer there: slots unrolled into sentences, and the reads of a question followed back.

A question counts a slot by the energy of what it took from it, over all its tokens and the blocks:
``sum (read pattern, mean over heads * size of mem_out) ** 2``, scaled to sum 1. A sentence scores the sum over
slots of that weight times its share of the slot (``lm2viz.hops``). Nothing here changes the model: a score says
where content came from, not what the answer would be without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.trace import Trace
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.provenance import agreement_bars, score_bars, share_heatmap
from lm2viz.hops import NEEDS, Array, Parts, shares, unrolled
from lm2viz.rows import as_traces

START = "start bank"
MEASURES = {"precision": "precision at k", "all_found": "all supports in top k"}
METHODS = {"written": "who wrote it", "origin": "where it came from"}


@dataclass(frozen=True, slots=True)
class SlotSources:
    """The bank after some sentences as sums over what they wrote.

    parts : see ``Parts``; the last source is what is left of the start bank
    shares : ndarray of shape (n_sentences + 1, n_slots), signed, of what each sentence wrote; columns sum to 1
    error : size of what the parts miss of ``hook_bank``, relative to its size
    """

    sources: tuple[str, ...]
    parts: Parts
    shares: Array
    error: float

    def summary(self) -> str:
        """The largest share of each slot, with the share all sources would have if they were equal."""
        top = self.shares.argmax(axis=0)
        lines = [
            f"slot {n}: {self.shares[s, n]:.0%} from {self.sources[s]}" for n, s in enumerate(top.tolist())
        ]
        even = f"if all sources were equal: {1 / len(self.sources):.0%}"
        return "\n".join([*lines, even, f"reconstruction error {self.error:.1e} of the bank"])

    def table(self) -> pd.DataFrame:
        """Sources by slots: signed shares."""
        columns = [f"slot {n}" for n in range(self.shares.shape[1])]
        return pd.DataFrame(self.shares, index=list(self.sources), columns=columns)

    def figure(self) -> go.Figure:
        """Heatmap of the shares."""
        return share_heatmap(
            self.shares, self.sources, f"Who wrote each slot; reconstruction error {self.error:.0e}"
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the content came from that one question read.

    sources : the sentences before the question, and the start bank
    written : ndarray of shape (n_sentences + 1,), signed, sums to 1; by who wrote it
    own, passed_on : the same by where it came from, directly and over hops; together they sum to 1
    support : sentences that the answer follows from, by number; may be empty
    error : as in ``SlotSources``
    """

    question: str
    sources: tuple[str, ...]
    written: Array
    own: Array
    passed_on: Array
    support: tuple[int, ...]
    error: float

    @property
    def origin(self) -> Array:
        """Scores of the sources, directly and over hops, (n_sentences + 1,)."""
        return self.own + self.passed_on

    def ranking(self, method: str = "origin") -> NDArray[np.int_]:
        """Sentences, best first, by ``"origin"`` or by ``"written"``."""
        if method not in METHODS:
            raise ValueError(f"no method {method!r}; take one of: {', '.join(METHODS)}")
        scores: Array = getattr(self, method)[:-1]
        return np.argsort(-scores, kind="stable")

    def found(self, method: str = "origin") -> float:
        """Share of the supports among as many best sentences."""
        n_supports = len(self.support)
        return len(set(self.ranking(method)[:n_supports].tolist()) & set(self.support)) / n_supports

    def summary(self) -> str:
        """The best sentences with their scores, and what each would have if all were equal."""
        lines = [f"{self.question} (the start bank brings {self.origin[-1]:.0%})"]
        for s in self.ranking()[: max(3, len(self.support))].tolist():
            mark = ", a supporting fact" if s in self.support else ""
            lines.append(f"{self.origin[s]:.0%} {self.sources[s]} ({self.passed_on[s]:.0%} over hops{mark})")
        lines.append(f"if all were equal: {1 / len(self.sources):.0%}; reconstruction error {self.error:.1e}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a source."""
        is_support = [s in self.support for s in range(len(self.sources))]
        return pd.DataFrame(
            {
                "source": self.sources,
                "own": self.own,
                "passed_on": self.passed_on,
                "origin": self.origin,
                "written": self.written,
                "is_support": is_support,
            }
        )

    def figure(self) -> go.Figure:
        """Bars of the scores, direct and over hops."""
        is_support = [s in self.support for s in range(len(self.sources))]
        return score_bars(
            self.sources, self.own, self.passed_on, is_support=is_support, chance=1 / len(self.sources)
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the best sentences are the supporting facts.

    rows : one row a figure: ``method``, ``questions`` (all or answered right), ``measure``, its ``value`` with
        interval ``low`` to ``high`` and ``n``, and ``chance``, that of a random ranking of the sentences before
        each question
    untrained : the same of an untrained model, or None
    error : the largest reconstruction error
    n_nan : questions left out because their scores are not finite
    """

    rows: pd.DataFrame
    untrained: pd.DataFrame | None
    error: float
    n_nan: int

    def estimate(
        self, measure: str = "all_found", method: str = "origin", questions: str = "all"
    ) -> Estimate:
        """One of the figures."""
        row = self.rows.set_index(["measure", "method", "questions"]).loc[(measure, method, questions)]
        return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]))

    def summary(self) -> str:
        """Each figure with its interval, its n, chance and, where given, the untrained model."""
        lines = []
        for i, row in enumerate(self.rows.to_dict("records")):
            figure = Estimate(row["value"], row["low"], row["high"], row["n"]).as_share()
            control = f"chance {row['chance']:.1%}"
            if self.untrained is not None and row["questions"] == "all":
                control += f", untrained {self._untrained(i):.1%}"
            lines.append(
                f"{METHODS[row['method']]}, {MEASURES[row['measure']]}, questions {row['questions']}: "
                f"{figure}; {control}"
            )
        lines.append(f"reconstruction error at most {self.error:.1e} of the bank")
        return "\n".join([*lines, f"{self.n_nan} questions left out: not finite"] if self.n_nan else lines)

    def table(self) -> pd.DataFrame:
        """One row a figure, the untrained model's beside it."""
        if self.untrained is None:
            return self.rows
        keys = ["method", "questions", "measure"]
        return self.rows.merge(
            self.untrained[[*keys, "value"]], on=keys, how="left", suffixes=("", "_untrained")
        )

    def figure(self) -> go.Figure:
        """Bars over all questions, with chance and the untrained model."""
        table = self.table()
        shown = table[table["questions"] == "all"]
        names = [
            f"{METHODS[m]}<br>{MEASURES[k]}" for m, k in zip(shown["method"], shown["measure"], strict=True)
        ]
        untrained = None if self.untrained is None else shown["value_untrained"].tolist()
        columns = (shown[name].tolist() for name in ("value", "low", "high", "chance"))
        return agreement_bars(names, *columns, untrained)

    def _untrained(self, row: int) -> float:
        return float(self.table()["value_untrained"].iloc[row])


def unroll(trace: Trace, story: int, step: int) -> SlotSources:
    """The bank after sentence ``step`` of ``story`` (both from 0), by who wrote it.

    Raises
    ------
    ValueError
        When the trace lacks hooks, or has no such story or sentence.
    """
    _check_hooks(trace)
    if not 0 <= story < len(trace.tokens) or not 0 <= step < len(trace.tokens[story]):
        sizes = f"{len(trace.tokens)} stories"
        if 0 <= story < len(trace.tokens):
            sizes += f", story {story} {len(trace.tokens[story])} sentences"
        raise ValueError(f"no sentence {step} of story {story}: the trace has {sizes}; count from 0")
    *_, parts = unrolled(trace, story, step + 1)
    sources = (*_sentences(trace, story)[: step + 1], START)
    return SlotSources(sources, parts, shares(parts.written), _error(trace, story, step, parts))


def trace_answer(trace: Trace, asked: Trace, i: int) -> Provenance:
    """Where the content came from that question ``i`` of ``asked`` read; both as ``agreement``."""
    _check_asked(trace, asked)
    if not 0 <= i < len(asked.tokens):
        raise ValueError(f"no question {i}; there are {len(asked.tokens)}, count from 0")
    question = asked.info["asked"][i]
    *_, parts = unrolled(trace, question["story"], question["n_statements"])
    return _followed(trace, asked, i, parts)


def agreement(trace: Trace, asked: Trace, *, untrained: tuple[Trace, Trace] | None = None) -> Agreement:
    """How often the sentences that a question's reads lead back to are its supporting facts.

    Parameters
    ----------
    trace : stories, one sentence a segment, with the hooks ``mem.*`` and ``hook_bank``; see ``read_stories``
    asked : their questions; see ``record_questions``
    untrained : both of a model of the same shape with fresh weights, as control

    Raises
    ------
    ValueError
        When the traces lack hooks, do not belong together, or no question has supports.
    """
    rows, error, n_nan = _measured(trace, asked)
    control = None if untrained is None else _measured(*untrained)[0]
    return Agreement(rows, control, error, n_nan)


def _measured(trace: Trace, asked: Trace) -> tuple[pd.DataFrame, float, int]:
    _check_asked(trace, asked)
    cases = [_case(trace, asked, i, parts) for i, parts in _each_question(trace, asked)]
    finite = pd.DataFrame([case for case in cases if np.isfinite(case["error"])])
    if finite.empty:
        raise ValueError("no question with known supports and finite scores; take stories of lm2core.babi")
    rows = []
    for method in METHODS:
        for questions, chosen in (("all", finite), ("answered right", finite[finite["is_right"]])):
            for measure in MEASURES if len(chosen) else ():
                figure = mean(chosen[f"{measure} {method}"], groups=chosen["story"])
                figures = {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}
                chance = float(chosen[f"{measure} chance"].mean())
                rows.append(
                    {
                        "method": method,
                        "questions": questions,
                        "measure": measure,
                        **figures,
                        "chance": chance,
                    }
                )
    return pd.DataFrame(rows), float(finite["error"].max()), len(cases) - len(finite)


def _each_question(trace: Trace, asked: Trace) -> Any:
    """Each question that has supports, with the parts of the bank it was asked of; a story is read once."""
    by_story: dict[int, dict[int, list[int]]] = {}
    for i, question in enumerate(asked.info["asked"]):
        if question["support"]:
            by_story.setdefault(question["story"], {}).setdefault(question["n_statements"], []).append(i)
    for story, at in by_story.items():
        for n_read, parts in enumerate(unrolled(trace, story, max(at)), start=1):
            for i in at.get(n_read, []):
                yield i, parts


def _case(trace: Trace, asked: Trace, i: int, parts: Parts) -> dict[str, Any]:
    """One question: what each method finds and what a random ranking would."""
    result, question = _followed(trace, asked, i, parts), asked.info["asked"][i]
    n_sentences, n_supports = len(result.sources) - 1, len(result.support)
    case = {
        "story": question["story"],
        "is_right": question["given"] == question["answer"],
        "error": result.error if np.isfinite([result.written, result.origin]).all() else np.nan,
        "precision chance": n_supports / n_sentences,
        "all_found chance": 1 / comb(n_sentences, n_supports),
    }
    for method in METHODS:
        found = result.found(method)
        case |= {f"precision {method}": found, f"all_found {method}": float(found == 1)}
    return case


def _followed(trace: Trace, asked: Trace, i: int, parts: Parts) -> Provenance:
    question = asked.info["asked"][i]
    story, n_read = question["story"], question["n_statements"]
    weights = read_weights(asked, i)
    bank = parts.written.sum(axis=0)
    scores = []
    for part in (parts.written, parts.own, parts.passed_on):
        # Rows of segments to come are zero; the start bank stays last.
        seen = np.concatenate([part[:n_read], part[-1:]])
        scores.append(shares(seen, bank) @ weights)
    return Provenance(
        question["text"],
        (*_sentences(trace, story)[:n_read], START),
        *scores,
        support=tuple(sorted(set(question["support"]))),
        error=_error(trace, story, n_read - 1, parts),
    )


def read_weights(asked: Trace, i: int) -> Array:
    """How much question ``i`` took from each slot, (n_slots,) in [0, 1], sums to 1; see the module."""
    n_tokens = len(asked.tokens[i][0])
    where = {"story": i, "segment": 0}
    energy: Any = 0.0
    for block in asked.blocks:
        pattern = asked.select(f"blocks.{block}.mem.hook_read_pattern", **where).astype(float).mean(axis=0)
        size = np.linalg.norm(asked.select(f"blocks.{block}.hook_mem_out", **where), axis=-1)
        energy = energy + ((pattern * size[:, None])[:n_tokens] ** 2).sum(axis=0)
    weights: Array = energy / energy.sum()
    return weights


def _error(trace: Trace, story: int, step: int, parts: Parts) -> float:
    bank = trace.select("hook_bank", story=story, segment=step)
    missed = [np.linalg.norm(part.sum(axis=0) - bank) for part in (parts.written, parts.origin)]
    return float(max(missed) / np.linalg.norm(bank))


def _sentences(trace: Trace, story: int) -> Sequence[str]:
    told = trace.info.get("stories")
    texts = told[story]["sentences"] if told else [" ".join(words) for words in trace.tokens[story]]
    return [f"{s}: {text}" for s, text in enumerate(texts)]


def _check_hooks(trace: Trace) -> None:
    hooks = [f"blocks.{block}.mem.{hook}" for block in trace.blocks or (0,) for hook in NEEDS]
    list(as_traces(trace, needs=["hook_bank", *hooks]))


def _check_asked(trace: Trace, asked: Trace) -> None:
    _check_hooks(trace)
    questions = asked.info.get("asked")
    if not questions:
        raise ValueError("the second trace has no questions; make it with record_questions(reader, trace)")
    hooks = [f"blocks.{b}.{hook}" for b in trace.blocks for hook in ("mem.hook_read_pattern", "hook_mem_out")]
    list(as_traces(asked, needs=hooks))
    for question in questions:
        story, n_read = question["story"], question["n_statements"]
        if story >= len(trace.tokens) or n_read > len(trace.tokens[story]):
            raise ValueError(
                f"a question is asked after sentence {n_read} of story {story}, which the story trace lacks; "
                "give the trace that the questions were recorded from"
            )
