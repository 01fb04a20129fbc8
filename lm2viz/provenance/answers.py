"""From a question back to the sentences: what it read, followed through the slots to where that came from.

A question counts a slot by what it took from it: ``(read pattern * size of mem_out) ** SHARPNESS``, the
pattern the mean over heads, summed over its tokens and the blocks and scaled to sum 1. A sentence scores the
sum over slots of that weight times its share of the slot. Nothing here changes the model: a score says where
content came from, not what the answer would be without it. Where that was measured of every slot
(``causal.lose_slots``), slots are counted by it, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.figures.provenance import score_bars
from lm2viz.provenance.parts import Decomposition, decompositions, shares
from lm2viz.provenance.traces import paired_traces, source_names

SHARPNESS = 4  # few reads carry an answer; chosen on qa2 stories of seeds 0 to 99
METHODS = {
    "written": "who wrote it",
    "origin": "where it came from",
    "mattered": "where what it needs came from",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the content came from that one question read.

    sources : the sentences before the question, and last the start bank
    written : ndarray of shape (n_sources,), signed, sums to 1; by who wrote it
    direct, indirect : the same by where it came from; together they sum to 1
    mattered : by where it came from, a slot counted by what the answer loses without it, and 0 everywhere if
        it loses nothing without any; None where that was not measured
    any_slot : control, ``direct + indirect`` if the question read every slot alike
    through : ndarray of shape (n_sources, n_slots), ``direct + indirect`` by the slot it was read from
    support : sentences that the answer follows from, by number; may be empty
    error : as in ``SlotSources``
    """

    question: str
    sources: tuple[str, ...]
    written: Array
    direct: Array
    indirect: Array
    mattered: Array | None
    any_slot: Array
    slot_share_of_read: Array
    support: tuple[int, ...]
    error: float

    @property
    def origin(self) -> Array:
        """Scores by where it came from, directly or over other slots, (n_sources,)."""
        return self.direct + self.indirect

    def ranking(self, method: str = "origin") -> NDArray[np.int_]:
        """Sentences, best first, by one of ``METHODS`` or, as control, ``"any_slot"``."""
        scores: Array = getattr(self, method)[:-1]
        return np.argsort(-scores, kind="stable")

    def precision(self, method: str = "origin") -> float:
        """Share of the supports, in [0, 1], among as many best sentences."""
        n_supports = len(self.support)
        return len(set(self.ranking(method)[:n_supports].tolist()) & set(self.support)) / n_supports

    def summary(self) -> str:
        """The best sentences with their scores, beside those of a question that reads every slot alike."""
        lines = [f"{self.question} (the start bank brings {self.origin[-1]:.0%})"]
        for s in self.ranking()[: max(3, len(self.support))].tolist():
            mark = ", a supporting fact" if s in self.support else ""
            over = f"{self.indirect[s]:.0%} over other slots; reading every slot alike {self.any_slot[s]:.0%}"
            lines.append(f"{self.origin[s]:.0%} {self.sources[s]} ({over}{mark})")
        even = f"if all sources were equal: {1 / len(self.sources):.0%}"
        return "\n".join([*lines, f"{even}; the sums miss at most {self.error:.1e} of any value of the bank"])

    def table(self) -> pd.DataFrame:
        """One row a source."""
        return pd.DataFrame(
            {
                "source": self.sources,
                "written": self.written,
                "direct": self.direct,
                "indirect": self.indirect,
                "origin": self.origin,
                "mattered": np.nan if self.mattered is None else self.mattered,
                "any_slot": self.any_slot,
                "if_equal": 1 / len(self.sources),
                "is_support": [s in self.support for s in range(len(self.sources))],
            }
        )

    def figure(self) -> go.Figure:
        """Bars of the scores, direct and indirect, with the controls."""
        names = [f"{name} *" if s in self.support else name for s, name in enumerate(self.sources)]
        return score_bars(names, self.direct, self.indirect, any_slot=self.any_slot, title=self.question)


def trace_answer(trace: Trace, question_trace: Trace, i: int, *, follow: str = "copies") -> Provenance:
    """Where the content came from that question ``i`` of ``asked`` read.

    trace : stories, one sentence a segment; see ``read_stories``
    asked : their questions; see ``record_questions``
    follow : see ``unrolled``

    Raises
    ------
    UserError
        As ``paired``; when there is no such question, or it read nothing from the bank.
    """
    list(paired_traces(trace, question_trace, follow))
    if not 0 <= i < len(question_trace.tokens):
        raise UserError(f"no question {i}; there are {len(question_trace.tokens)}, count from 0")
    question = question_trace.info["asked"][i]
    *_, parts = decompositions(trace, question["story"], question["n_statements"], follow)
    result = trace_through_parts(trace, question_trace, i, parts)
    if not np.isfinite([*result.origin, result.error]).all():
        raise UserError(
            f"{question['text']!r} read nothing, or what it read is not finite; look at hook_mem_out"
        )
    return result


def trace_through_parts(trace: Trace, question_trace: Trace, i: int, parts: Decomposition) -> Provenance:
    """Question ``i`` followed into the ``parts`` of the bank that it was asked of."""
    question = question_trace.info["asked"][i]
    story, n_read = question["story"], question["n_statements"]
    bank = trace.select("hook_bank", story=story, segment=n_read - 1).astype(float)
    weights, losses = read_weights(question_trace, i), question.get("slot_losses")
    retained = [*range(n_read), -1]  # without sentences to come
    # An empty slot has no shares, and brings nothing.
    written, direct, indirect = (
        np.nan_to_num(shares(part[retained], bank)) for part in (parts.written, parts.direct, parts.indirect)
    )
    return Provenance(
        question["text"],
        source_names(trace, story, n_read),
        written=written @ weights,
        direct=direct @ weights,
        indirect=indirect @ weights,
        mattered=None if losses is None else (direct + indirect) @ _normalised(losses),
        any_slot=(direct + indirect).mean(axis=1),
        slot_share_of_read=(direct + indirect) * weights,
        support=tuple(sorted(set(question["support"]))),
        error=parts.error(bank),
    )


def read_weights(question_trace: Trace, i: int) -> Array:
    """How much question ``i`` took from each slot, (n_slots,) in [0, 1], sums to 1; see the module.

    NaN for a question that took nothing.
    """
    n_tokens = len(question_trace.tokens[i][0])
    taken: Any = 0.0
    for block in question_trace.blocks:
        pattern = question_trace.select(f"blocks.{block}.mem.hook_read_pattern", story=i, segment=0).astype(
            float
        )
        read = question_trace.select(f"blocks.{block}.hook_mem_out", story=i, segment=0).astype(float)
        size = np.linalg.norm(read, axis=-1)[:n_tokens, None]
        taken = taken + ((pattern.mean(axis=0)[:n_tokens] * size) ** SHARPNESS).sum(axis=0)
    weights: Array = taken / (np.sum(taken) or np.nan)
    return weights


def _normalised(losses: Sequence[float]) -> Array:
    """Weights of slots by what is lost without them, (n_slots,), of sum 1, or all 0 where nothing is."""
    lost = np.maximum(losses, 0.0)
    weights: Array = lost / max(lost.sum(), np.finfo(float).tiny)
    return weights
