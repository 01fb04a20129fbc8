"""Gates of each slot in each block, and the half-life of what a slot holds, over many stories."""

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
SHARE_KEPT = "forget gate (share kept)"
MIN_STORIES = 2
LONGEST = 1_000.0  # sentences: the top of the half-life axis when no half-life is finite


@dataclass(frozen=True, slots=True)
class Gates:
    """Means over sentences and width, fractions in [0, 1].

    input_gate, keep : shape (n_blocks, n_slots); input gate and forget gate as the slot sees them
    keep_all_blocks : shape (n_slots,); the share that one sentence keeps, the product over all blocks
    keep_by_half : the same for every second story, to choose a slot on, and for the others, to score it on
    n_stories : stories behind the intervals
    n_nan : sentences excluded because a gate is not finite
    """

    input_gate: Estimates
    keep: Estimates
    keep_all_blocks: Estimates
    keep_by_half: tuple[Estimates, Estimates]
    n_stories: int
    n_nan: int

    @property
    def half_lives(self) -> Estimates:
        """Half-lives in sentences, shape (n_slots,); infinite where nothing is lost. See ``half_life``."""
        return _half_lives(self.keep_all_blocks)

    def extreme(self, rank: int) -> tuple[int, Estimate]:
        """The slot at ``rank`` by half-life (0 the shortest, -1 the longest) and its half-life.

        The slot is chosen on every second story and its half-life measured on the others.
        """
        choosing, scoring = map(_half_lives, self.keep_by_half)
        slot = int(np.argsort(choosing.value)[rank])
        return slot, scoring.at(slot)


@dataclass(frozen=True, slots=True)
class GateStats:
    """Gates of a model and, if given, of an untrained one as control.

    blocks : numbers of the blocks with memory
    """

    blocks: tuple[int, ...]
    model: Gates
    untrained: Gates | None

    def summary(self) -> str:
        """Mean gates, and the median, longest and shortest half-life, with the untrained model as control."""
        n_sentences = self.model.half_lives.n
        lines = [
            f"Gates over {n_sentences} sentences of {self.model.n_stories} stories; "
            "95 % intervals over stories"
        ]
        for name, gates in self._variants().items():
            if gates.n_nan:
                lines.append(
                    f"excluded for the {name}: {gates.n_nan} sentences with a gate that is not finite"
                )
            input_gate, keep = gates.input_gate.value.mean(), gates.keep.value.mean()
            median = np.median(gates.half_lives.value)
            lines.append(
                f"{name}: input gate {input_gate:.1%}, forget gate {keep:.1%} (share kept; means over blocks "
                f"and slots); median half-life of a slot {median:.3g} sentences"
            )
        for rank, which in ((-1, "longest"), (0, "shortest")):
            extremes = {name: gates.extreme(rank) for name, gates in self._variants().items()}
            text = "; ".join(
                f"{name} slot {slot}, {life} sentences" for name, (slot, life) in extremes.items()
            )
            lines.append(
                f"{which} half-life: {text} (slot chosen on every second story, measured on the others)"
            )
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per variant, slot and measure; the half-life, in sentences, has no block."""
        rows = []
        for name, gates in self._variants().items():
            for measure, estimates in (("input gate", gates.input_gate), (SHARE_KEPT, gates.keep)):
                for i, block in enumerate(self.blocks):
                    for slot in range(estimates.value.shape[1]):
                        rows.append(_row(name, measure, block, slot, estimates.at(i, slot)))
            for slot in range(len(gates.half_lives.value)):
                rows.append(_row(name, "half-life", None, slot, gates.half_lives.at(slot)))
        table = pd.DataFrame(rows)
        return table.astype({"block": "Int64"})

    def figure(self) -> go.Figure:
        """Half-life of each slot, with the untrained model as control."""
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
    """Mean gates over all sentences, with intervals over stories.

    untrained : the same stories read by an untrained model

    Raises
    ------
    UserError
        For missing hooks (naming the command that records them), fewer than two stories with finite gates, or
        an untrained model of another size.
    """
    blocks, gates = _gates(traces, seed)
    if untrained is None:
        return GateStats(blocks, gates, None)
    _, control = _gates(untrained, seed)
    shapes = gates.input_gate.value.shape, control.input_gate.value.shape
    if shapes[0] != shapes[1]:
        raise UserError(
            f"gates of {shapes[0]} blocks and slots, untrained {shapes[1]}; "
            "use an untrained model with the same config"
        )
    return GateStats(blocks, gates, control)


def _half_lives(keep: Estimates) -> Estimates:
    return Estimates(half_life(keep.value), half_life(keep.low), half_life(keep.high), keep.n)


def _row(variant: str, measure: str, block: int | None, slot: int, e: Estimate) -> dict[str, Any]:
    return {
        "variant": variant,
        "figure": measure,
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
            f"got {n_stories} stories with finite gates; an interval over stories needs at least "
            f"{MIN_STORIES}; give more stories"
        )
    input_gate, keep, together = input_gate[finite], keep[finite], together[finite]
    means = [by_story(values, story, seed=seed, within=(0, 1)) for values in (input_gate, keep, together)]
    is_second = np.isin(story, np.unique(story)[::2])
    choosing, scoring = (
        by_story(together[half], story[half], seed=seed, within=(0, 1)) for half in (is_second, ~is_second)
    )
    return blocks, Gates(means[0], means[1], means[2], (choosing, scoring), n_stories, int((~finite).sum()))


def _of_trace(trace: Trace) -> tuple[Array, Array, Array]:
    """Input and forget gate (n_sentences, n_blocks, n_slots); its product (n_sentences, n_slots)."""
    input_gate, keep = (np.moveaxis(trace.over_blocks(hook), 0, 2) for hook in GATE_HOOKS)
    n_segments = np.array([len(words) for words in trace.tokens])
    is_sentence = np.arange(input_gate.shape[1]) < n_segments[:, None]
    input_gate, keep = input_gate[is_sentence], keep[is_sentence]
    return input_gate.mean(axis=-1), keep.mean(axis=-1), keep.prod(axis=1).mean(axis=-1)
