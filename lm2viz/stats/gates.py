"""How far the gates of each slot open in each block, and how long a slot remembers, over many stories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, Estimates, by_story
from lm2viz.figures.lines import Series, points_by_name
from lm2viz.sample.rows import as_traces
from lm2viz.stats.measures import half_life

GATE_HOOKS = ("hook_gate_in", "hook_gate_forget")
MIN_STORIES = 2
LONGEST = 1_000.0  # sentences: the top of the half-life axis where nothing finite is longer


@dataclass(frozen=True, slots=True)
class Gates:
    """Means over sentences and width, fractions in [0, 1].

    opened, kept : shape (n_blocks, n_slots); the input gate, and the share that a block's write keeps
    kept_in_sentence : shape (n_slots,); the share that all blocks together keep
    kept_in_halves : the same of every second story, to choose a slot on, and of the others, to score it on
    n_stories : of which the intervals are
    n_nan : sentences left out because a gate is not finite there
    """

    input_gate: Estimates
    keep: Estimates
    keep_all_blocks: Estimates
    keep_by_half: tuple[Estimates, Estimates]
    n_stories: int
    n_nan: int

    @property
    def half_lives(self) -> Estimates:
        """In sentences, shape (n_slots,); infinite where nothing is lost. See ``stats.half_life``."""
        return _half_lives(self.keep_all_blocks)

    def extreme(self, rank: int) -> tuple[int, Estimate]:
        """The slot of this rank, -1 remembers longest, and its half-life, each on half of the stories."""
        choosing, scoring = map(_half_lives, self.keep_by_half)
        slot = int(np.argsort(choosing.value)[rank])
        return slot, scoring.at(slot)


@dataclass(frozen=True, slots=True)
class GateStats:
    """Gates of a model, those of an untrained one beside them when they were given.

    blocks : the numbers of the blocks with memory
    """

    blocks: tuple[int, ...]
    model: Gates
    untrained: Gates | None

    def summary(self) -> str:
        """The slots that remember longest and shortest, and the middle of all, beside the untrained model."""
        n_sentences = self.model.half_lives.n
        lines = [f"{n_sentences} sentences of {self.model.n_stories} stories, intervals by story"]
        for name, gates in self._variants().items():
            if gates.n_nan:
                lines.append(f"{gates.n_nan} sentences of the {name} left out: a gate is not finite")
            input_gate, keep = gates.input_gate.value.mean(), gates.keep.value.mean()
            middle = np.median(gates.half_lives.value)
            lines.append(
                f"{name}: input gate {input_gate:.1%}, kept {keep:.1%} (means over blocks and slots); "
                f"half-life of the middle slot {middle:.3g} sentences"
            )
        for rank, which in ((-1, "longest"), (0, "shortest")):
            result = {name: gates.extreme(rank) for name, gates in self._variants().items()}
            text = "; ".join(
                f"{name}: slot {slot}, {life} sentences" for name, (slot, life) in result.items()
            )
            lines.append(f"{which} (chosen on every second story, measured on the others), {text}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a variant, slot and figure; the half-life in sentences has no block."""
        rows = []
        for name, gates in self._variants().items():
            for figure, estimates in (("input gate", gates.input_gate), ("kept share", gates.keep)):
                for i, block in enumerate(self.blocks):
                    for slot in range(estimates.value.shape[1]):
                        rows.append(_row(name, figure, block, slot, estimates.at(i, slot)))
            for slot in range(len(gates.half_lives.value)):
                rows.append(_row(name, "half-life", None, slot, gates.half_lives.at(slot)))
        table = pd.DataFrame(rows)
        return table.astype({"block": "Int64"})

    def figure(self) -> go.Figure:
        """The half-life of each slot, the untrained model's beside it."""
        series = [
            Series(name, g.half_lives.value, g.half_lives.low, g.half_lives.high)
            for name, g in self._variants().items()
        ]
        every = np.concatenate([x for s in series for x in (s.value, s.low, s.high)])
        finite = every[np.isfinite(every)]
        low, high = (finite.min(), finite.max()) if finite.size else (1.0, LONGEST)
        return points_by_name(
            series,
            [str(slot) for slot in range(len(series[0].value))],
            x_title="slot",
            y_title="half-life (sentences)",
            y_range=(low / 2, high * 2),
            is_log=True,
        )

    def _variants(self) -> dict[str, Gates]:
        variants = {"model": self.model}
        return variants if self.untrained is None else variants | {"untrained": self.untrained}


def gate_stats(
    traces: Trace | Sequence[Trace],
    *,
    untrained: Trace | Sequence[Trace] | None = None,
    seed: int = 0,
) -> GateStats:
    """Means of the gates over all sentences, with intervals by story.

    untrained : the same stories as an untrained model reads them

    Raises
    ------
    UserError
        Naming missing hooks and the command that records them; for fewer than two stories, an untrained
        model of other sizes, or gates that are nowhere finite.
    """
    blocks, gates = _gates(traces, seed)
    if untrained is None:
        return GateStats(blocks, gates, None)
    _, control = _gates(untrained, seed)
    shapes = gates.input_gate.value.shape, control.input_gate.value.shape
    if shapes[0] != shapes[1]:
        raise UserError(f"{shapes[0]} blocks and slots, untrained {shapes[1]}; take one of the same config")
    return GateStats(blocks, gates, control)


def _half_lives(keep: Estimates) -> Estimates:
    return Estimates(half_life(keep.value), half_life(keep.low), half_life(keep.high), keep.n)


def _row(variant: str, figure: str, block: int | None, slot: int, e: Estimate) -> dict[str, Any]:
    return {
        "variant": variant,
        "figure": figure,
        "block": block,
        "slot": slot,
        "value": e.value,
        "low": e.low,
        "high": e.high,
        "n": e.n,
    }


def _gates(traces: Trace | Sequence[Trace], seed: int) -> tuple[tuple[int, ...], Gates]:
    parts, stories, n_before = [], [], 0
    for trace in as_traces(traces):
        blocks = trace.blocks or (0,)
        for _ in as_traces(trace, needs=[f"blocks.{b}.mem.{hook}" for b in blocks for hook in GATE_HOOKS]):
            parts.append(_of_trace(trace))
        stories += [n_before + b for b, words in enumerate(trace.tokens) for _ in words]
        n_before += len(trace.tokens)
    input_gate, keep, together = (np.concatenate(part) for part in zip(*parts, strict=True))
    finite = np.isfinite(input_gate).all(axis=(1, 2)) & np.isfinite(keep).all(axis=(1, 2))
    story = np.array(stories)[finite]
    n_stories = len(np.unique(story))
    if n_stories < MIN_STORIES:
        raise UserError(
            f"{n_stories} stories with finite gates; an interval by story needs at least {MIN_STORIES}"
        )
    input_gate, keep, together = input_gate[finite], keep[finite], together[finite]
    means = [by_story(values, story, seed=seed, within=(0, 1)) for values in (input_gate, keep, together)]
    is_second = np.isin(story, np.unique(story)[::2])
    choosing, scoring = (
        by_story(together[half], story[half], seed=seed, within=(0, 1)) for half in (is_second, ~is_second)
    )
    return blocks, Gates(means[0], means[1], means[2], (choosing, scoring), n_stories, int((~finite).sum()))


def _of_trace(trace: Trace) -> tuple[Array, Array, Array]:
    """Input gate and kept share (n_sentences, n_blocks, n_slots); what all keep (n_sentences, n_slots)."""
    input_gate, keep = (np.moveaxis(trace.over_blocks(hook), 0, 2) for hook in GATE_HOOKS)
    n_segments = np.array([len(words) for words in trace.tokens])
    is_sentence = np.arange(input_gate.shape[1]) < n_segments[:, None]
    input_gate, keep = input_gate[is_sentence], keep[is_sentence]
    return input_gate.mean(axis=-1), keep.mean(axis=-1), keep.prod(axis=1).mean(axis=-1)
