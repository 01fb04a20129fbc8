"""Linear probes cross-validated over stories: ridge chooses the slot, logistic regression is reported."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.probes.ridge import ridge_hits
from lm2viz.probes.samples import Codes, Slot
from lm2viz.sample.banks import Banks

MAX_ITERATIONS, TOLERANCE = 10_000, 1e-3  # of the gradient: below it accuracies no longer change
N_INNER_FOLDS = 3  # folds of the training stories, to choose a slot


def story_folds(story: Codes, n_folds: int, *, seed: int) -> Codes:
    """The fold of each sample, ndarray of shape (n_samples,); each story is in exactly one fold."""
    fold = np.empty(len(story), dtype=int)
    splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    for i, (_, test) in enumerate(splitter.split(story, groups=story)):
        fold[test] = i
    return fold


def slot_features(features: Banks, slot: Slot) -> Banks:
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
        return np.asarray(features[:, :].reshape(n_samples, 1, -1))
    if not isinstance(slot, int) or not 0 <= slot < n_slots:
        raise UserError(f'no slot {slot!r}; give 0 to {n_slots - 1}, "best" or "bank"')
    return np.asarray(features[:, [slot]])


def choose_slots(features: Banks, tasks: Codes, story: Codes, *, seed: int) -> Codes:
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
    features: Banks, tasks: Codes, story: Codes, *, train: Codes, test: Codes, seed: int
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
