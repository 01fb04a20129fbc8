"""Estimates with 95 % intervals: no analysis reports a bare number.

Stories are independent, the rows of one story are not, so the bootstrap resamples whole stories.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from lm2core.errors import UserError
from lm2core.evaluation.intervals import CONFIDENCE, wilson_interval
from lm2viz.arrays import Array

N_RESAMPLES = 2_000
MARGIN = 0.1  # of rows or answers: what beats its controls by less has no name for what it holds
N_FLIPS = 20_000  # many, so that the smallest p still counts after a correction for many cells
TAIL = (1 - CONFIDENCE) / 2
MAX_CACHED_STORIES = 1_000  # larger samples are drawn anew each time: eight cached draws take at most 128 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value.

    low, high : 95 % interval; NaN where there is none, as for a single story
    n : number of observations behind the mean: questions, rows, stories or pairs
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        interval = "no interval" if np.isnan(self.low) else f"{self.low:.3g} to {self.high:.3g}"
        return f"{self.value:.3g} ({interval}, n = {self.n})"

    def as_share(self) -> str:
        """The estimate of a share, in percent."""
        interval = "no interval" if np.isnan(self.low) else f"{self.low:.1%} to {self.high:.1%}"
        return f"{self.value:.1%} ({interval}, n = {self.n})"


NONE = Estimate(np.nan, np.nan, np.nan, 0)  # of what could not be measured


@dataclass(frozen=True, slots=True)
class Estimates:
    """An array of values, each with its 95 % interval.

    value, low, high : ndarrays of the same shape
    n : number of rows behind each mean
    """

    value: Array
    low: Array
    high: Array
    n: int

    def at(self, *place: int) -> Estimate:
        """The estimate at one index."""
        return Estimate(float(self.value[place]), float(self.low[place]), float(self.high[place]), self.n)


class Result(Protocol):
    """What every analysis returns."""

    def summary(self) -> str:
        """The finding in a few lines: each estimate with its control, its n and its interval."""

    def table(self) -> pd.DataFrame:
        """All estimates, one row each."""

    def figure(self) -> go.Figure:
        """The plot, control included."""


def share(hits: ArrayLike) -> Estimate:
    """The share of true values among independent ``hits``, with Wilson's interval.

    Raises
    ------
    UserError
        When ``hits`` is empty.
    """
    is_hit = np.asarray(hits, dtype=bool)
    _check_some(is_hit)
    return Estimate(float(is_hit.mean()), *wilson_interval(int(is_hit.sum()), is_hit.size), is_hit.size)


def mean(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
    within: tuple[float, float] | None = None,
) -> Estimate:
    """The mean of ``values`` with a percentile bootstrap interval.

    One story has no interval. If all values are equal, the bootstrap interval has no width; it then extends
    to both sides by Wilson's upper bound for an event seen in none of as many stories.

    groups : the story of each value; whole stories are resampled. None: each value is its own story.
    within : bounds of the values, (0, 1) for shares and (-1, 1) for differences of shares. None: unbounded,
        and the interval of equal values has no width. Booleans are shares.

    Raises
    ------
    UserError
        When ``values`` is empty.
    """
    array = np.asarray(values)
    _check_some(array)
    story = np.arange(array.size) if groups is None else np.asarray(groups)
    return by_story(array.ravel(), story, seed=seed, within=within).at()


def by_story(
    values: NDArray[Any],
    story: NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    seed: int = 0,
    within: tuple[float, float] | None = None,
) -> Estimates:
    """Weighted means over rows, ``sum(values) / sum(weights)``, all on the same draws of stories.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
    story : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), with a sum above 0 in every story; None: ones, a plain mean
    seed, within : as in ``mean``
    """
    within = (0.0, 1.0) if values.dtype == bool else within
    columns = values.reshape(len(values), -1).astype(float)
    _, group = np.unique(story, return_inverse=True)
    sums = np.zeros((group.max() + 1, columns.shape[1]))
    np.add.at(sums, group, columns)
    counts = np.bincount(group, weights=None if weights is None else np.asarray(weights, dtype=float))
    value = np.ascontiguousarray(columns.T).sum(axis=1) / counts.sum()
    if len(sums) == 1:
        low = high = np.full_like(value, np.nan)
    else:
        drawn = drawn_stories(len(sums), seed)
        low, high = np.quantile((drawn @ sums) / (drawn @ counts)[:, None], [TAIL, 1 - TAIL], axis=0)
    if within is not None and len(sums) > 1:
        is_alike, unseen = np.ptp(columns, axis=0) == 0, share(np.zeros(len(sums))).high
        low = np.where(is_alike, np.maximum(within[0], value - unseen), low)
        high = np.where(is_alike, np.minimum(within[1], value + unseen), high)
    value, low, high = (x.reshape(values.shape[1:]) for x in (value, low, high))
    return Estimates(value, low, high, len(values))


def over_draws(values: Array) -> Estimates:
    """The mean over draws of a control (n_draws, ...), and the range of 95 % of the draws."""
    low, high = np.quantile(values, [TAIL, 1 - TAIL], axis=0)
    return Estimates(values.mean(axis=0), np.asarray(low), np.asarray(high), len(values))


def drawn_stories(n: int, seed: int) -> NDArray[np.float64]:
    """How often each resample draws each of ``n`` stories, (N_RESAMPLES, n); read-only."""
    return (_cached_draws if n <= MAX_CACHED_STORIES else _draws)(n, seed)


def _draws(n: int, seed: int) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES).astype(float)
    drawn.setflags(write=False)
    return drawn


_cached_draws = lru_cache(maxsize=8)(_draws)  # drawing dominates the cost of an interval


def sign_flip_p(differences: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided sign-flip permutation p of paired ``differences``; the null hypothesis is a mean of 0.

    At least ``1 / (N_RESAMPLES + 1)``, the smallest value that many draws can show. 1 for a single
    difference; NaN if any is not finite.
    """
    array = np.asarray(differences, dtype=float)
    _check_some(array)
    if array.size == 1 or not np.isfinite(array).all():
        return 1.0 if np.isfinite(array).all() else float("nan")
    from scipy import stats  # slow to import, and the first page waits for it

    drawn = stats.permutation_test(
        (array,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=N_RESAMPLES,
        rng=np.random.default_rng(seed),
        vectorized=True,
    )
    return float(drawn.pvalue)


def above_zero_p(values: Array, story: NDArray[Any], *, seed: int = 0) -> Array:
    """One-sided sign-flip p (n_cells,) for each column of ``values`` (n_rows, n_cells): is its mean above 0?

    Means of stories are flipped, all columns alike, so the smallest p is ``1 / (N_FLIPS + 1)``.
    """
    _, group, counts = np.unique(story, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), values.shape[1]), dtype=np.float32)
    np.add.at(means, group, values)
    means /= counts[:, None]
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.float32), (N_FLIPS, len(counts)))
    is_as_high = signs @ means >= means.sum(axis=0) - 1e-4  # rounding of float32
    return np.asarray((1 + is_as_high.sum(axis=0)) / (N_FLIPS + 1))


def corrected(p: Array) -> Array:
    """p values of any shape, corrected for their number by Benjamini and Hochberg; NaN stays NaN."""
    from scipy.stats import false_discovery_control  # slow to import

    adjusted, is_there = np.full_like(p, np.nan), ~np.isnan(p)
    if is_there.any():
        adjusted[is_there] = false_discovery_control(p[is_there])
    return adjusted


def columns(name: str, estimates: Sequence[Estimate] | Estimates) -> dict[str, Array]:
    """Estimates as three flat columns of a table: NAME, NAME_low and NAME_high."""
    if isinstance(estimates, Estimates):
        values = [x.ravel() for x in (estimates.value, estimates.low, estimates.high)]
    else:
        values = list(np.array([[e.value, e.low, e.high] for e in estimates]).reshape(-1, 3).T)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _check_some(array: NDArray[Any]) -> None:
    if array.size == 0:
        raise UserError("no values to estimate from; give at least one")
