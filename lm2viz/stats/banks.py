"""How much of its room a bank uses: effective rank after each sentence, and how alike its slots are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.lines import Series, lines_with_bands
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_same_stories
from lm2viz.stats.measures import effective_rank, fresh_bank, redundancy, slot_similarity

MIN_STORIES = 2
MODEL, FRESH, UNTRAINED = "model", "fresh bank", "untrained"


@dataclass(frozen=True, slots=True)
class BankUse:
    """Of one model, or of a fresh bank, which nothing has been written to.

    ranks : effective rank after each sentence, from the first on; the mean over stories that are so long
    similarity : shape (n_slots, n_slots), mean cosine over all banks, in [-1, 1]
    redundancy : mean size of the cosine over pairs of slots, in [0, 1]
    """

    ranks: tuple[Estimate, ...]
    similarity: Array
    redundancy: Estimate


@dataclass(frozen=True, slots=True)
class BankStats:
    """Use of the bank by a model, beside a fresh bank and, when given, an untrained model."""

    variants: dict[str, BankUse]
    n_stories: int
    n_nan: int

    def summary(self) -> str:
        """Effective rank at the start and at the end, and redundancy, beside the controls."""
        n_slots = len(self.variants[MODEL].similarity)
        n_steps = len(self.variants[MODEL].ranks)
        lines = [
            f"banks of {n_slots} slots after each sentence of {self.n_stories} stories, intervals by story"
        ]
        if self.n_nan:
            lines.append(f"{self.n_nan} banks left out because they are not finite")
        for step in sorted({1, n_steps}):
            text = "; ".join(f"{name} {use.ranks[step - 1]}" for name, use in self.variants.items())
            lines.append(f"effective rank after {step} sentences: {text}")
        text = "; ".join(f"{name} {use.redundancy}" for name, use in self.variants.items())
        lines.append(f"redundancy (mean |cosine| of two slots): {text}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a variant and figure; the redundancy is over all sentences and has none."""
        rows = []
        for name, use in self.variants.items():
            measures = [("effective rank", i + 1, rank) for i, rank in enumerate(use.ranks)]
            for figure, n_sentences, e in [*measures, ("redundancy", None, use.redundancy)]:
                rows.append((name, figure, n_sentences, e.value, e.low, e.high, e.n))
        columns = ["variant", "figure", "n_sentences", "value", "low", "high", "n"]
        return pd.DataFrame(rows, columns=columns).astype({"n_sentences": "Int64"})

    def figure(self) -> go.Figure:
        """The effective rank over the story, and its controls."""
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
    """Effective rank after each sentence, and similarity of slots, of many stories.

    untrained : the same stories as an untrained model reads them

    Raises
    ------
    UserError
        For fewer than two stories, a bank of one slot, or an untrained model's banks of another shape or
        of other stories.
    """
    _check(rows, untrained)
    steps = int(rows.segment.max()) + 1
    variants = {MODEL: _use(rows, steps, seed), FRESH: _fresh_use(rows, steps)}
    if untrained is not None:
        variants[UNTRAINED] = _use(untrained, steps, seed)
    return BankStats(variants, rows.n_stories, rows.n_nan)


def _check(rows: BankRows, untrained: BankRows | None) -> None:
    if rows.n_stories < MIN_STORIES:
        raise UserError(f"{rows.n_stories} story; an interval by story needs at least {MIN_STORIES}")
    if rows.banks.shape[1] < 2:
        raise UserError("a bank of 1 slot has no pairs of slots; choose a model with more")
    if untrained is None:
        return
    if untrained.banks.shape[1:] != rows.banks.shape[1:]:
        raise UserError(
            f"banks of {rows.banks.shape[1:]}, untrained {untrained.banks.shape[1:]}; "
            "take an untrained model of the same config"
        )
    check_same_stories(rows, untrained)


def _use(rows: BankRows, steps: int, seed: int) -> BankUse:
    every_rank, similarity = effective_rank(rows.banks), slot_similarity(rows.banks)
    ranks = []
    for step in track(range(steps), "measuring banks", "step"):
        is_now = rows.segment == step
        none = Estimate(np.nan, np.nan, np.nan, 0)  # where no bank is finite
        ranks.append(mean(every_rank[is_now], groups=rows.story[is_now], seed=seed) if is_now.any() else none)
    repeated = mean(redundancy(similarity), groups=rows.story, seed=seed)
    return BankUse(tuple(ranks), similarity.mean(axis=0), repeated)


def _fresh_use(rows: BankRows, steps: int) -> BankUse:
    """Of a bank that nothing is written to: the same after every sentence of every story."""
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
