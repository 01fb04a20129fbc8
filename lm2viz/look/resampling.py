"""Means of many figures at once with intervals by story; ``estimates.mean`` is the same for one figure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm2viz.estimates import CONFIDENCE, N_RESAMPLES, Estimate

Array = NDArray[np.floating[Any]]
TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, slots=True)
class Estimates:
    """Figures of one shape, each with its 95 % interval.

    value, low, high : ndarrays of one shape
    n : of how many rows each is a mean
    """

    value: Array
    low: Array
    high: Array
    n: int

    def at(self, *place: int) -> Estimate:
        """One of the figures."""
        return Estimate(float(self.value[place]), float(self.low[place]), float(self.high[place]), self.n)


def by_story(
    values: Array, story: NDArray[np.integer], *, weights: ArrayLike | None = None, seed: int = 0
) -> Estimates:
    """``sum(values) / sum(weights)`` over rows, with a bootstrap interval that draws whole stories.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
    story : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), sum above 0 in every story; None: ones, so the result is the mean
    seed : int
        The same seed draws the same stories as ``estimates.mean``.
    """
    columns = values.reshape(len(values), -1).astype(float)
    _, group = np.unique(story, return_inverse=True)
    sums = np.zeros((group.max() + 1, columns.shape[1]))
    np.add.at(sums, group, columns)
    counts = np.bincount(group, weights=None if weights is None else np.asarray(weights, dtype=float))
    drawn = np.random.default_rng(seed).multinomial(
        len(sums), np.full(len(sums), 1 / len(sums)), size=N_RESAMPLES
    )
    means = (drawn @ sums) / (drawn @ counts)[:, None]
    low, high = np.quantile(means, [TAIL, 1 - TAIL], axis=0)
    value, low, high = (x.reshape(values.shape[1:]) for x in (sums.sum(axis=0) / counts.sum(), low, high))
    return Estimates(value, low, high, len(values))


def over_draws(values: Array) -> Estimates:
    """The mean over draws of a control (n_draws, ...), and between which values 95 % of the draws lie."""
    low, high = np.quantile(values, [TAIL, 1 - TAIL], axis=0)
    return Estimates(values.mean(axis=0), np.asarray(low), np.asarray(high), len(values))
