"""From a question back to sentences: what it read, traced through the slots to the sentences that wrote them.

The weight of a slot is how much the question read from it: ``(read pattern * norm of mem_out) ** SHARPNESS``,
with the pattern averaged over heads, summed over tokens and blocks and normalised to sum 1. The score of a
sentence is the sum over slots of this weight times the sentence's share of the slot. Nothing is edited: a
score says where content came from, not what the answer would be without it. If that was measured for every
slot (``causal.record_slot_losses``), a further method uses these losses as weights.
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
from lm2viz.provenance.decomposition import Decomposition, last_decomposition, shares
from lm2viz.provenance.traces import START, paired_traces, source_names

SHARPNESS = 4  # exponent, as few reads carry an answer; chosen on qa2 stories of seeds 0 to 99
METHODS = {
    "written": "written by",
    "origin": "origin",
    "mattered": "origin, weighted by ablation",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """The sentences that the content read by one question came from.

    Scores are ndarrays of shape (n_sources,), signed, with sum 1.

    sources : the sentences before the question, then the start bank
    written : score by the sentence that wrote the content
    direct, indirect : score by the sentence that the content originates from, written directly or copied from
        slot to slot; the sum of both has sum 1
    mattered : as ``direct + indirect``, with slots weighted by what the answer loses without them, and 0 if
        it loses nothing; None if that was not measured
    any_slot : control, ``direct + indirect`` if the question read every slot equally
    slot_share_of_read : ndarray of shape (n_sources, n_slots), ``direct + indirect`` split by slot
    support : numbers of the sentences that the answer follows from; may be empty
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
        """Scores by origin, directly or via other slots, (n_sources,)."""
        return self.direct + self.indirect

    def ranking(self, method: str = "origin") -> NDArray[np.int_]:
        """Sentence numbers, best score first, by one of ``METHODS`` or the control ``"any_slot"``."""
        scores: Array = getattr(self, method)[:-1]
        return np.argsort(-scores, kind="stable")

    def precision(self, method: str = "origin") -> float:
        """Precision at k, in [0, 1], where k is the number of supports."""
        n_supports = len(self.support)
        return len(set(self.ranking(method)[:n_supports].tolist()) & set(self.support)) / n_supports

    def summary(self) -> str:
        """The best sentences with their scores, and the control of reading every slot equally."""
        lines = [f"{self.question} Content read, by origin ({self.origin[-1]:.0%} from the {START})"]
        for s in self.ranking()[: max(3, len(self.support))].tolist():
            mark = ", supporting fact" if s in self.support else ""
            parts = f"{self.indirect[s]:.0%} via other slots; every slot read equally {self.any_slot[s]:.0%}"
            lines.append(f"{self.origin[s]:.0%} {self.sources[s]} ({parts}{mark})")
        even = f"equal shares would be {1 / len(self.sources):.0%}"
        return "\n".join([*lines, f"{even}; the parts add up to the bank to within {self.error:.1e}"])

    def table(self) -> pd.DataFrame:
        """One row per source."""
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
        """Bars of the direct and indirect scores, with the controls."""
        names = [f"{name} *" if s in self.support else name for s, name in enumerate(self.sources)]
        return score_bars(names, self.direct, self.indirect, any_slot=self.any_slot, title=self.question)


def trace_answer(trace: Trace, question_trace: Trace, i: int, *, follow: str = "copies") -> Provenance:
    """Trace what question ``i`` read back to sentences.

    trace : stories, one sentence per segment; see ``read_stories``
    question_trace : their questions; see ``record_questions``
    follow : see ``decompositions``

    Raises
    ------
    UserError
        As ``paired_traces``; when there is no such question, or it read nothing from the bank.
    """
    list(paired_traces(trace, question_trace, follow))
    if not 0 <= i < len(question_trace.tokens):
        raise UserError(f"no question {i}; there are {len(question_trace.tokens)}, counted from 0")
    question = question_trace.info["asked"][i]
    parts = last_decomposition(trace, question["story"], question["n_statements"], follow)
    provenance = trace_through_parts(trace, question_trace, i, parts)
    if not np.isfinite([*provenance.origin, provenance.error]).all():
        raise UserError(
            f"{question['text']!r} read nothing, or what it read is not finite; check hook_mem_out"
        )
    return provenance


def trace_through_parts(trace: Trace, question_trace: Trace, i: int, parts: Decomposition) -> Provenance:
    """Trace question ``i`` into the ``parts`` of the bank that it was asked of."""
    question = question_trace.info["asked"][i]
    story, n_read = question["story"], question["n_statements"]
    bank = trace.select("hook_bank", story=story, segment=n_read - 1).astype(float)
    weights, losses = read_weights(question_trace, i), question.get("slot_losses")
    sources = [*range(n_read), -1]  # without later sentences
    # An empty slot has no shares (NaN) and contributes nothing.
    written, direct, indirect = (
        np.nan_to_num(shares(part[sources], bank)) for part in (parts.written, parts.direct, parts.indirect)
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
    """How much question ``i`` read from each slot, (n_slots,) in [0, 1], with sum 1; see the module.

    NaN for a question that read nothing.
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
    """Weights of slots by the losses without them, (n_slots,), with sum 1, or all 0 if nothing is lost."""
    lost = np.maximum(losses, 0.0)
    weights: Array = lost / max(lost.sum(), np.finfo(float).tiny)
    return weights
