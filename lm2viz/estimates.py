"""Figures with their intervals: nothing that an analysis says is a bare number.

Stories are independent, rows of one story are not: means over rows are resampled story by story.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
N_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure.

    low, high : 95 % interval; NaN where there is none, as for a single story
    n : of what it is a mean: questions, stories or pairs
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        interval = "no interval" if np.isnan(self.low) else f"{self.low:.3g} to {self.high:.3g}"
        return f"{self.value:.3g} ({interval}, n = {self.n})"

    def as_share(self) -> str:
        """The same in percent, for a share."""
        interval = "no interval" if np.isnan(self.low) else f"{self.low:.1%} to {self.high:.1%}"
        return f"{self.value:.1%} ({interval}, n = {self.n})"


class Result(Protocol):
    """What every analysis returns."""

    def summary(self) -> str:
        """The finding in a few lines: each figure with its control, its n and its interval."""

    def table(self) -> pd.DataFrame:
        """All figures, one row each."""

    def figure(self) -> go.Figure:
        """The picture, control included."""


def share(hits: ArrayLike) -> Estimate:
    """The share of true values among ``hits``, with Wilson's interval; each must be independent.

    Raises
    ------
    ValueError
        When there are none.
    """
    is_hit = np.asarray(hits, dtype=bool)
    _check_some(is_hit)
    interval = stats.binomtest(int(is_hit.sum()), is_hit.size).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(float(is_hit.mean()), float(interval.low), float(interval.high), is_hit.size)


def mean(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
    within: tuple[float, float] | None = None,
) -> Estimate:
    """The mean of ``values`` with a bootstrap interval (percentiles).

    One story has no interval. Values that are all alike leave a bootstrap no width: then the interval reaches
    to both sides as far as Wilson's for what was seen in none of as many stories.

    groups : the story of each value; whole stories are drawn. None: each value is a story of its own.
    within : bounds of the values, (0, 1) for shares and (-1, 1) for differences of shares; None: there are
        none, and values all alike have no interval to speak of. Truth values are shares.

    Raises
    ------
    ValueError
        When there are none.
    """
    within = (0.0, 1.0) if np.asarray(values).dtype == bool else within
    array = np.asarray(values, dtype=float)
    _check_some(array)
    _, group = np.unique(np.arange(array.size) if groups is None else np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(group, weights=array), np.bincount(group)
    n_groups, value = len(sums), float(array.mean())
    if n_groups == 1:
        return Estimate(value, np.nan, np.nan, array.size)
    if within is not None and np.ptp(array) == 0:
        unseen = share(np.zeros(n_groups)).high
        return Estimate(value, max(within[0], value - unseen), min(within[1], value + unseen), array.size)
    drawn = np.random.default_rng(seed).multinomial(
        n_groups, np.full(n_groups, 1 / n_groups), size=N_RESAMPLES
    )
    means = (drawn @ sums) / (drawn @ counts)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), array.size)


def sign_flip_p(differences: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided permutation p that paired ``differences`` have mean 0: their signs are drawn anew.

    At least ``1 / (N_RESAMPLES + 1)``: no finite number of draws shows less. 1 for a single difference, whose
    sign tells nothing; NaN when one is not finite.
    """
    array = np.asarray(differences, dtype=float)
    _check_some(array)
    if array.size == 1 or not np.isfinite(array).all():
        return 1.0 if np.isfinite(array).all() else float("nan")
    drawn = stats.permutation_test(
        (array,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=N_RESAMPLES,
        rng=np.random.default_rng(seed),
        vectorized=True,
    )
    return float(drawn.pvalue)


def _check_some(array: NDArray[Any]) -> None:
    if array.size == 0:
        raise ValueError("nothing to estimate from; give at least one value")
