"""Estimates over seeds: mean, 95 % interval, and the verdict of a paired difference.

Seeds that happen to agree would give an interval of zero width: three models that answer the same questions
may all reach 100 %. So the interval of a share is never narrower than the number of questions allows (Wilson
1927), nor is that of a difference (Newcombe 1998, method 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import fmean

from lm2core.evaluation.intervals import mean_half_width, wilson_interval


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """A figure over ``n`` seeds; low, high: 95 % interval of the mean, None for a single seed."""

    n: int
    mean: float
    low: float | None
    high: float | None

    @property
    def decides(self) -> str:
        """``more``, ``less`` or ``not decided``: on which side of 0 the whole interval lies."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "not decided"
        return "more" if self.low > 0 else "less"


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """Mean of at least one value and its t-interval."""
    n, mean = len(values), fmean(values)
    if n == 1:
        return OverSeeds(n, mean, None, None)
    half = mean_half_width(values)
    return OverSeeds(n, mean, mean - half, mean + half)


def share_over_seeds(shares: Sequence[float], n_questions: int) -> OverSeeds:
    """Mean of shares in [0, 1], each of the same ``n_questions``; its interval stays in [0, 1]."""
    estimate = over_seeds(shares)
    low, high = wilson_interval(round(estimate.mean * n_questions), n_questions)
    return _widened(estimate, low, high, lowest=0.0)


def difference_over_seeds(pairs: Sequence[tuple[float, float]], n_questions: int) -> OverSeeds:
    """Mean of first minus second share of each pair; its interval stays in [-1, 1]."""
    estimate = over_seeds([a - b for a, b in pairs])
    a, b = (fmean(shares) for shares in zip(*pairs, strict=True))
    low_a, high_a = wilson_interval(round(a * n_questions), n_questions)
    low_b, high_b = wilson_interval(round(b * n_questions), n_questions)
    low, high = a - b - hypot(a - low_a, high_b - b), a - b + hypot(high_a - a, b - low_b)
    return _widened(estimate, low, high, lowest=-1.0)


def _widened(estimate: OverSeeds, low: float, high: float, *, lowest: float) -> OverSeeds:
    if estimate.low is None or estimate.high is None:
        return estimate
    return OverSeeds(
        estimate.n, estimate.mean, max(lowest, min(low, estimate.low)), min(1.0, max(high, estimate.high))
    )
