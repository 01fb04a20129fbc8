"""How much of its capacity a bank uses: effective rank after each sentence, and similarity of its slots."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.lines import Series, lines_with_bands
from lm2viz.progress import track
from lm2viz.sample.banks import PART_BYTES, Banks
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_same_stories
from lm2viz.stats.measures import effective_rank, fresh_bank, redundancy, slot_similarity
from lm2viz.stats.question_reads import at_time

MIN_STORIES = 2
MODEL, FRESH, UNTRAINED = "model", "fresh bank", "untrained"


@dataclass(frozen=True, slots=True)
class BankUse:
    """Use of the bank by one model, or by a fresh bank, which nothing has been written to.

    ranks : effective rank after each sentence, a mean over the stories that have that many sentences
    similarity : ndarray of shape (n_slots, n_slots), mean cosine over all banks, in [-1, 1]
    redundancy : mean absolute cosine over pairs of slots, in [0, 1]
    """

    ranks: tuple[Estimate, ...]
    similarity: Array
    redundancy: Estimate


@dataclass(frozen=True, slots=True)
class BankStats:
    """Use of the bank by a model; controls: a fresh bank and, if given, an untrained model."""

    variants: dict[str, BankUse]
    n_stories: int
    n_nan: int

    def summary(self) -> str:
        """Effective rank after the first and the last sentence, and redundancy, each with its controls."""
        n_slots = len(self.variants[MODEL].similarity)
        n_steps = len(self.variants[MODEL].ranks)
        lines = [
            f"Use of a bank of {n_slots} slots, after each sentence of {self.n_stories} stories; "
            "95 % intervals over stories"
        ]
        if self.n_nan:
            lines.append(f"excluded: {self.n_nan} banks that are not finite")
        for step in sorted({1, n_steps}):
            text = "; ".join(f"{name} {use.ranks[step - 1]}" for name, use in self.variants.items())
            lines.append(f"effective rank {at_time(step)}: {text}")
        text = "; ".join(f"{name} {use.redundancy}" for name, use in self.variants.items())
        lines.append(f"redundancy (mean |cosine| between two slots): {text}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per variant and measure; redundancy, a mean over all sentences, has no ``n_sentences``."""
        rows = []
        for name, use in self.variants.items():
            ranks = [("effective rank", i + 1, rank) for i, rank in enumerate(use.ranks)]
            for measure, n_sentences, e in [*ranks, ("redundancy", None, use.redundancy)]:
                rows.append((name, measure, n_sentences, e.value, e.low, e.high, e.n))
        columns = ["variant", "figure", "n_sentences", "value", "low", "high", "n"]
        return pd.DataFrame(rows, columns=columns).astype({"n_sentences": "Int64"})

    def figure(self) -> go.Figure:
        """Effective rank over the story, with its controls."""
        order = [name for name in (MODEL, UNTRAINED, FRESH) if name in self.variants]
        series = [_series(name, self.variants[name].ranks) for name in order]
        n_steps, n_slots = len(series[0].value), len(self.variants[MODEL].similarity)
        return lines_with_bands(
            series,
            list(range(1, n_steps + 1)),
            x_title="sentences read",
            y_title="effective rank (directions)",
            y_range=(0, 1.05 * n_slots),
        )


def bank_stats(rows: BankRows, *, untrained: BankRows | None = None, seed: int = 0) -> BankStats:
    """Effective rank after each sentence, and similarity between slots, over many stories.

    untrained : the same stories read by an untrained model

    Raises
    ------
    UserError
        For fewer than two stories, a bank of one slot, or untrained banks of another shape or of other
        stories.
    """
    _check(rows, untrained)
    steps = int(rows.segment.max()) + 1
    variants = {MODEL: _use(rows, steps, seed), FRESH: _fresh_use(rows, steps)}
    if untrained is not None:
        variants[UNTRAINED] = _use(untrained, steps, seed)
    return BankStats(variants, rows.n_stories, rows.n_nan)


def _check(rows: BankRows, untrained: BankRows | None) -> None:
    if rows.n_stories < MIN_STORIES:
        raise UserError(
            f"got {rows.n_stories} story; an interval over stories needs at least {MIN_STORIES}; "
            "give more stories"
        )
    if rows.banks.shape[1] < 2:
        raise UserError("the bank has 1 slot, but similarity needs two; choose a model with more slots")
    if untrained is None:
        return
    if untrained.banks.shape[1:] != rows.banks.shape[1:]:
        raise UserError(
            f"banks have shape {rows.banks.shape[1:]}, untrained banks {untrained.banks.shape[1:]}; "
            "use an untrained model with the same config"
        )
    check_same_stories(rows, untrained)


def _use(rows: BankRows, steps: int, seed: int) -> BankUse:
    every_rank, pairs, similarity = _measured(rows.banks)
    ranks = []
    for step in range(steps):
        is_now = rows.segment == step
        none = Estimate(np.nan, np.nan, np.nan, 0)  # where no bank is finite
        ranks.append(mean(every_rank[is_now], groups=rows.story[is_now], seed=seed) if is_now.any() else none)
    return BankUse(tuple(ranks), similarity, mean(pairs, groups=rows.story, seed=seed))


def _measured(banks: Banks) -> tuple[Array, Array, Array]:
    """Effective rank and redundancy of each bank (n_rows,), and the mean similarity; some banks at once."""
    n_rows, n_slots, n_dims = banks.shape
    size = max(PART_BYTES // (n_slots * max(n_slots, n_dims) * 8), 1)
    ranks, pairs, total = [], [], np.zeros((n_slots, n_slots))
    for start in track(range(0, n_rows, size), "measuring banks", "part"):
        part = banks[start : start + size, :]
        similarity = slot_similarity(part)
        ranks.append(effective_rank(part))
        pairs.append(redundancy(similarity))
        total += similarity.sum(axis=0)
    return np.concatenate(ranks), np.concatenate(pairs), total / n_rows


def _fresh_use(rows: BankRows, steps: int) -> BankUse:
    """Use of a bank that nothing is written to: the same after every sentence of every story."""
    fresh = fresh_bank(*rows.banks.shape[1:])
    similarity = slot_similarity(fresh)
    rank, repeated = float(effective_rank(fresh)), float(redundancy(similarity))
    n_steps = (int((rows.segment == step).sum()) for step in range(steps))
    ranks = tuple(Estimate(rank, rank, rank, n) for n in n_steps)
    return BankUse(ranks, similarity, Estimate(repeated, repeated, repeated, len(rows.story)))


def _series(name: str, ranks: tuple[Estimate, ...]) -> Series:
    value, low, high = (
        np.array([getattr(rank, part) for rank in ranks]) for part in ("value", "low", "high")
    )
    return Series(name, value, low, high)
