"""Ridge classification in closed form, cross-validated for all slots and tasks at once.

Axes: n samples, S slots, D width, T tasks (labels of the same samples), K classes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lm2viz.arrays import Array
from lm2viz.probes.samples import NOISE, Codes
from lm2viz.sample.banks import Banks, slot_parts

RIDGE = 1.0  # penalty on standardised features, as in RidgeClassifier


def ridge_hits(features: Banks, tasks: Codes, fold: Codes) -> NDArray[np.bool_]:
    """Cross-validated hits of ridge classification: whether each sample is predicted from the other folds.

    Regression on one-hot labels, slot by slot.

    Parameters
    ----------
    features : of shape (n_samples, n_slots, n_dims)
    tasks : ndarray of shape (n_tasks, n_samples), labels from 0
    fold : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_tasks, n_slots, n_samples)
    """
    hits = np.empty((len(tasks), features.shape[1], len(fold)), dtype=bool)
    one_hot = _one_hot(tasks)
    for part in slot_parts(features):
        x_SnD = np.ascontiguousarray(features[:, part].transpose(1, 0, 2), dtype=float)
        for k, (mean, scale, weights, offset) in _regressions(x_SnD, one_hot, fold):
            rows = np.flatnonzero(fold == k)
            scores = ((x_SnD[:, rows] - mean[:, None]) / scale[:, None]) @ weights + offset
            hits[:, part, rows] = _are_right(scores, tasks[:, rows])
    return hits


def bank_hits(features: Banks, tasks: Codes, fold: Codes) -> NDArray[np.bool_]:
    """``ridge_hits`` of the whole bank, all slots side by side: ndarray of shape (n_tasks, n_samples).

    With more dimensions than samples it needs their products only, which are sums over slots.
    """
    n, n_slots, n_dims = features.shape
    if n_slots * n_dims <= n:
        return ridge_hits(features[:, :].reshape(n, 1, -1), tasks, fold)[:, 0]
    hits = np.empty(tasks.shape, dtype=bool)
    for k in np.unique(fold):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        gram, cross = RIDGE * np.eye(len(train)), np.zeros((len(test), len(train)))
        for part in slot_parts(features):
            x_SnD = features[:, part].reshape(1, n, -1)
            z_nD, mean, scale = _standardised(x_SnD[:, train])
            gram += z_nD[0] @ z_nD[0].T
            cross += ((x_SnD[0, test] - mean) / scale) @ z_nD[0].T
        y = _one_hot(tasks[:, train])
        offset = y.mean(axis=0)
        scores = cross @ cho_solve(cho_factor(gram, overwrite_a=True), y - offset) + offset
        hits[:, test] = _are_right(scores[None], tasks[:, test])[:, 0]
    return hits


def _one_hot(tasks: Codes) -> Array:
    """The labels of all tasks, (n, T*K)."""
    return np.asarray(np.eye(int(tasks.max()) + 1)[tasks.T].reshape(tasks.shape[1], -1))


def _are_right(scores: Array, tasks: Codes) -> NDArray[np.bool_]:
    """Whether the highest of the scores (S, n, T*K) is that of the label, (T, S, n)."""
    best = scores.reshape(*scores.shape[:2], len(tasks), -1).argmax(-1)
    return np.asarray(best.transpose(2, 0, 1) == tasks[:, None])


# Mean and scale (S,D) of the features, weights (S,D,T*K) of standardised features, offset (T*K,).
Regression = tuple[Array, Array, Array, Array]


def _regressions(x_SnD: Array, y: Array, fold: Codes) -> Iterator[tuple[int, Regression]]:
    """Each fold, and the regression of ``y`` (n, T*K) on all others."""
    folds = np.unique(fold)
    if x_SnD.shape[2] > len(fold):
        yield from ((k, _solve_wide(x_SnD[:, fold != k], y[fold != k])) for k in folds)
        return
    sums = [_sums(x_SnD[:, fold == k], y[fold == k]) for k in folds]
    total = [sum(parts) for parts in zip(*sums, strict=True)]
    for k, held_out in zip(folds, sums, strict=True):
        yield k, _solve([a - b for a, b in zip(total, held_out, strict=True)])


def _sums(x_SnD: Array, y: Array) -> list[Any]:
    """The sufficient statistics of a regression, which add up over sets of samples."""
    x_SDn = x_SnD.transpose(0, 2, 1)
    return [len(y), x_SnD.sum(axis=1), x_SDn @ x_SnD, y.sum(axis=0), x_SDn @ y]


def _solve(sums: list[Any]) -> Regression:
    """From sums of products of the features, (S,D,D)."""
    n, x, xx, y, xy = sums
    mean = x / n
    spread = xx / n - mean[:, :, None] * mean[:, None]
    scale = _scale(np.diagonal(spread, axis1=1, axis2=2))
    gram = n * spread / (scale[:, :, None] * scale[:, None]) + RIDGE * np.eye(x.shape[1])
    cross = (xy - mean[:, :, None] * y) / scale[:, :, None]
    return mean, scale, np.linalg.solve(gram, cross), y / n


def _solve_wide(x_SnD: Array, y: Array) -> Regression:
    """The same from products of the samples, (S,n,n): faster with more dimensions than samples."""
    z_SnD, mean, scale = _standardised(x_SnD)
    z_SDn, offset = z_SnD.transpose(0, 2, 1), y.mean(axis=0)
    gram = z_SnD @ z_SDn + RIDGE * np.eye(len(y))
    return mean, scale, z_SDn @ np.linalg.solve(gram, y - offset), offset


def _standardised(x_SnD: Array) -> tuple[Array, Array, Array]:
    """The features with mean 0 and variance 1, and the mean and scale (S,D) that they had."""
    mean, scale = x_SnD.mean(axis=1), _scale(x_SnD.var(axis=1))
    return (x_SnD - mean[:, None]) / scale[:, None], mean, scale


def _scale(variance: Array) -> Array:
    """The standard deviation; 1 for a feature that never changes."""
    scale = np.sqrt(np.maximum(variance, 0.0))
    return np.where(scale > NOISE, scale, 1.0)
