"""Linear probes cross-validated over stories: ridge for many slots at once, logistic regression for reports.

Axes: n samples, S slots, D width, T tasks (labels of the same samples), K classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.probes.samples import NOISE, Codes, Slot

RIDGE = 1.0  # penalty on standardised features, as in RidgeClassifier
MAX_ITERATIONS, TOLERANCE = 10_000, 1e-3  # of the gradient: below it accuracies no longer change
N_INNER_FOLDS = 3  # folds of the training stories, to choose a slot


def story_folds(story: Codes, n_folds: int, *, seed: int) -> Codes:
    """The fold of each sample, ndarray of shape (n_samples,); each story is in exactly one fold."""
    fold = np.empty(len(story), dtype=int)
    splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    for i, (_, test) in enumerate(splitter.split(story, groups=story)):
        fold[test] = i
    return fold


def slot_features(features: Array, slot: Slot) -> Array:
    """The features of ``slot``, (n_samples, n_slots, n_dims): all slots for "best", concatenated for "bank".

    Raises
    ------
    UserError
        For a slot that the bank does not have.
    """
    n_samples, n_slots, _ = features.shape
    if slot == "best":
        return features
    if slot == "bank":
        return features.reshape(n_samples, 1, -1)
    if not isinstance(slot, int) or not 0 <= slot < n_slots:
        raise UserError(f'no slot {slot!r}; give 0 to {n_slots - 1}, "best" or "bank"')
    return features[:, [slot]]


def ridge_hits(features: Array, tasks: Codes, fold: Codes) -> NDArray[np.bool_]:
    """Cross-validated hits of ridge classification: whether each sample is predicted from the other folds.

    Regression on one-hot labels, in closed form, for all slots and tasks at once.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_slots, n_dims)
    tasks : ndarray of shape (n_tasks, n_samples), labels from 0
    fold : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_tasks, n_slots, n_samples)
    """
    x_SnD = np.ascontiguousarray(features.transpose(1, 0, 2), dtype=float)
    n_tasks, n_classes = len(tasks), int(tasks.max()) + 1
    one_hot = np.eye(n_classes)[tasks.T].reshape(len(fold), -1)  # (n, T*K)
    hits = np.empty((n_tasks, len(x_SnD), len(fold)), dtype=bool)
    for k, (mean, scale, weights, offset) in _regressions(x_SnD, one_hot, fold):
        rows = np.flatnonzero(fold == k)
        scores = ((x_SnD[:, rows] - mean[:, None]) / scale[:, None]) @ weights + offset
        best = scores.reshape(len(x_SnD), len(rows), n_tasks, n_classes).argmax(-1)
        hits[:, :, rows] = best.transpose(2, 0, 1) == tasks[:, None, rows]
    return hits


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
    mean, scale = x_SnD.mean(axis=1), _scale(x_SnD.var(axis=1))
    z_SnD, offset = (x_SnD - mean[:, None]) / scale[:, None], y.mean(axis=0)
    z_SDn = z_SnD.transpose(0, 2, 1)
    gram = z_SnD @ z_SDn + RIDGE * np.eye(len(y))
    return mean, scale, z_SDn @ np.linalg.solve(gram, y - offset), offset


def _scale(variance: Array) -> Array:
    """The standard deviation; 1 for a feature that never changes."""
    scale = np.sqrt(np.maximum(variance, 0.0))
    return np.where(scale > NOISE, scale, 1.0)


def choose_slots(features: Array, tasks: Codes, story: Codes, *, seed: int) -> Codes:
    """The slot with the highest cross-validated accuracy for each task, (n_tasks,); the first in a tie."""
    if features.shape[1] == 1:
        return np.zeros(len(tasks), dtype=int)
    n_folds = min(N_INNER_FOLDS, len(np.unique(story)))
    fold = story_folds(story, n_folds, seed=seed)
    return ridge_hits(features, tasks, fold).mean(axis=-1).argmax(axis=-1)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of probes for held-out samples.

    slots : ndarray of shape (n_tasks,), the slot that each task's probe decodes
    probabilities : ndarray of shape (n_tasks, n_test, n_classes)
    """

    slots: Codes
    probabilities: Array


def predict(
    features: Array, tasks: Codes, story: Codes, *, train: Codes, test: Codes, seed: int
) -> Predictions:
    """Choose a slot for each task, train logistic regression on the training stories, predict the others.

    train, test : indices of samples, from disjoint sets of stories; at least two stories to train on
    """
    slots = choose_slots(features[train], tasks[:, train], story[train], seed=seed)
    n_classes = int(tasks.max()) + 1
    probabilities = np.stack(
        [
            _logistic(features[train, slot], labels[train], features[test, slot], n_classes)
            for slot, labels in zip(slots, tasks, strict=True)
        ]
    )
    return Predictions(slots, probabilities)


def logistic_probe() -> Pipeline:
    """A probe to be fitted: multinomial logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS, tol=TOLERANCE))


def _logistic(x_train: Array, y_train: Codes, x_test: Array, n_classes: int) -> Array:
    """Probabilities (n_test, n_classes); 0 for a class that does not occur in ``y_train``."""
    probabilities = np.zeros((len(x_test), n_classes))
    seen = np.unique(y_train)
    if len(seen) == 1:
        probabilities[:, seen[0]] = 1.0
        return probabilities
    probe = logistic_probe()
    probe.fit(x_train, y_train)
    probabilities[:, seen] = probe.predict_proba(x_test)
    return probabilities
