"""Does the input gate open on facts and stay closed on background text? For one long text, with a control.

Takes traces of ``lm2core.reading.long_traces``. A gate is a fraction in [0, 1], averaged over the width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.noise import gate_boxes

EVERY_WORD, WIDEST, EVERY_SLOT = "By word", "Widest slot", "All slots"
MEANING = {
    EVERY_WORD: "input gate of the segment's words, mean over words; independent of the segment's length",
    WIDEST: "input gate of the slot that the segment opens widest; longer segments open it further",
    EVERY_SLOT: "input gate of the slots, mean over all slots; longer segments open them further",
}
FACTS, BACKGROUND = "facts", "background"
SHUT = 0.1  # a gate below this counts as shut


def is_fact(trace: Trace) -> NDArray[np.bool_]:
    """Which segments state a fact, ndarray of bool of shape (n_segments,)."""
    return np.array([segment["fact"] is not None for segment in trace.info["segments"]])


def segment_texts(trace: Trace) -> list[str]:
    """The text of each segment."""
    return [segment["text"] for segment in trace.info["segments"]]


def segment_gates(trace: Trace, measure: str) -> Array:
    """The input gate of every segment, ndarray of shape (n_blocks, n_segments) in [0, 1].

    measure : a key of ``MEANING``

    Raises
    ------
    UserError
        For an unknown measure.
    """
    if measure not in MEANING:
        raise UserError(f"unknown measure {measure!r}; known: {', '.join(MEANING)}")
    if measure == EVERY_WORD:
        words = trace.over_blocks("hook_gate_in_token", story=0).mean(axis=-1)  # block, segment, token
        n_words = np.array([len(words) for words in trace.tokens[0]])
        is_word = np.arange(words.shape[-1]) < n_words[:, None]
        return (words * is_word).sum(axis=-1) / n_words
    slots = trace.over_blocks("hook_gate_in", story=0).mean(axis=-1)  # block, segment, slot
    return slots.max(axis=-1) if measure == WIDEST else slots.mean(axis=-1)


@dataclass(frozen=True, slots=True)
class GateContrast:
    """The input gate on facts and on background, in the model and in an untrained control.

    model, untrained : ndarrays of shape (n_blocks, n_segments) in [0, 1]
    is_fact : ndarray of bool of shape (n_segments,)
    sentences : ndarray of shape (n_segments,), the sentence of each segment; intervals resample whole ones
    """

    model: Array
    untrained: Array
    is_fact: NDArray[np.bool_]
    sentences: NDArray[np.integer]
    blocks: Sequence[int]

    def estimate(self, block: int, kind: str, *, untrained: bool = False) -> Estimate | None:
        """Mean gate over the segments of one ``kind``, FACTS or BACKGROUND; None if there are none."""
        gates = (self.untrained if untrained else self.model)[self.blocks.index(block)]
        chosen = self.is_fact if kind == FACTS else ~self.is_fact
        return mean(gates[chosen], groups=self.sentences[chosen]) if chosen.any() else None

    def _overall(self, kind: str, *, untrained: bool = False) -> Estimate | None:
        """Mean gate over blocks and over the segments of one ``kind``; None if there are none."""
        chosen = self.is_fact if kind == FACTS else ~self.is_fact
        gates = (self.untrained if untrained else self.model).mean(axis=0)
        return mean(gates[chosen], groups=self.sentences[chosen]) if chosen.any() else None

    @property
    def verdict(self) -> str:
        """Whether the gate opens on facts alone, beside the untrained model, in a sentence."""
        facts, background = (self._overall(kind) for kind in (FACTS, BACKGROUND))
        if facts is None or background is None:
            return "This text has no background, so there is nothing to ignore."
        control = [self._overall(kind, untrained=True) for kind in (FACTS, BACKGROUND)]
        levels = f"{facts.value:.2f} on facts and {background.value:.2f} on background"
        of_control = " and ".join(f"{e.value:.2f}" for e in control if e is not None)
        if not facts.low > background.high:
            found = "No: it opens no further on facts than on background"
        elif background.value <= SHUT:
            found = "Yes: it opens on facts and stays shut on background"
        else:
            found = "No: it stays open on background too, though less than on facts"
        return f"{found} ({levels}; in an untrained model, {of_control})."

    def summary(self) -> str:
        """The verdict; for each block the gate on facts and on background, [the untrained model's]."""
        lines = [
            f"block {block}: " + "; ".join(self._mean_text(block, kind) for kind in (FACTS, BACKGROUND))
            for block in self.blocks
        ]
        return "\n".join([self.verdict, *lines])

    def _mean_text(self, block: int, kind: str) -> str:
        control = self.estimate(block, kind, untrained=True)
        return f"{kind} {self.estimate(block, kind)} [untrained {control}]"

    def table(self) -> pd.DataFrame:
        """One row per block, kind of segment and model."""
        rows = []
        for block in self.blocks:
            for kind in (FACTS, BACKGROUND):
                for untrained in (False, True):
                    e = self.estimate(block, kind, untrained=untrained)
                    if e is not None:
                        model = "untrained" if untrained else "model"
                        rows.append((block, kind, model, e.value, e.low, e.high, e.n))
        return pd.DataFrame(rows, columns=["block", "segments", "model", "gate", "low", "high", "n"])

    def figure(self) -> go.Figure:
        """Box plots of all segments by block, facts next to background; the untrained model on the right."""
        return gate_boxes(
            {"model": self.model, "control: untrained model": self.untrained}, self.is_fact, self.blocks
        )


def gate_contrast(trace: Trace, untrained: Trace, measure: str) -> GateContrast:
    """Compare the input gate on facts and background of one text, read by a model and an untrained one.

    measure : a key of ``MEANING``

    Raises
    ------
    UserError
        For traces of different texts or an unknown measure.
    """
    if segment_texts(trace) != segment_texts(untrained):
        raise UserError("the two traces are of different texts; trace both models on the same sample")
    return GateContrast(
        segment_gates(trace, measure),
        segment_gates(untrained, measure),
        is_fact(trace),
        np.array([segment["piece"] for segment in trace.info["segments"]]),
        trace.blocks,
    )
