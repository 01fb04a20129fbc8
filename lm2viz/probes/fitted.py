"""A fitted probe to work with: its coefficients on raw slots, and what it predicts row by row."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.probes.linear import choose_slots, logistic_probe, predict, slot_features, story_folds
from lm2viz.probes.samples import Slot, fact_samples, named_facts
from lm2viz.sample.rows import BankRows


@dataclass(frozen=True, slots=True)
class FittedProbe:
    """A probe of one slot for one fact, fitted to all rows at which the fact is known.

    slot : the slot, chosen on all of these rows if "best" was asked for
    coefficients, intercepts : ndarrays of shape (n_classes, n_dims) and (n_classes,), of the slot as it is:
        the probabilities of ``classes`` are the softmax of ``coefficients @ content + intercepts``
    predictions : one row for each bank, with columns ``story``, ``segment``, ``true``, ``predicted``,
        ``probability`` (of what is predicted, in [0, 1]) and ``slot``, by probes of the other stories
    """

    fact: str
    slot: int
    classes: tuple[str, ...]
    coefficients: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    predictions: pd.DataFrame = field(repr=False)

    def probabilities(self, banks: Array) -> Array:
        """Probabilities (..., n_classes) in [0, 1] given banks (..., n_slots, n_dims)."""
        scores = banks[..., self.slot, :] @ self.coefficients.T + self.intercepts
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=-1, keepdims=True))


def fit_probe(
    rows: BankRows, fact: str, *, slot: Slot = "best", n_folds: int = 5, seed: int = 0
) -> FittedProbe:
    """Fit the logistic regression that ``probe`` scores, and keep it.

    slot : a number, or "best", which each fold chooses on its own training stories

    Raises
    ------
    UserError
        As ``probe`` for a named fact; for a slot that the bank does not have, and for the whole bank, whose
        probe has no slot to be applied to.
    """
    if slot == "bank":
        raise UserError('a fitted probe is of one slot; give its number or "best"')
    named_facts(rows, fact)
    samples = fact_samples(rows, fact, n_folds=n_folds, seed=seed)
    features = slot_features(samples.features, slot)
    fold, tasks = story_folds(samples.story, n_folds, seed=seed), samples.labels[None]
    probabilities = np.empty((len(fold), len(samples.classes)))
    slots = np.empty(len(fold), dtype=int)
    for k in range(n_folds):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        held_out = predict(features, tasks, samples.story, train=train, test=test, seed=seed)
        probabilities[test], slots[test] = held_out.probabilities[0], held_out.slots[0]
    is_known = rows.facts[fact].notna().to_numpy()
    whole = int(choose_slots(features, tasks, samples.story, seed=seed)[0]) if slot == "best" else slot
    is_used = np.asarray(samples.features[:, whole].any(axis=0))
    fitted = logistic_probe()
    fitted.fit(rows.banks[is_known, whole] * is_used, np.array(samples.classes)[samples.labels])
    classes = np.array(samples.classes)
    predictions = pd.DataFrame(
        {
            "story": rows.story[is_known],
            "segment": rows.segment[is_known],
            "true": classes[samples.labels],
            "predicted": classes[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
            "slot": slots if slot == "best" else whole,
        }
    )
    return FittedProbe(fact, whole, samples.classes, *raw_coefficients(fitted, is_used), predictions)


def raw_coefficients(fitted: Pipeline, is_used: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Coefficients (n_classes, n_dims) and intercepts (n_classes,) of a probe on content as it is.

    is_used : (n_dims,), False for dimensions that were left out
    """
    scaler, regression = fitted[0], fitted[-1]
    weights = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weights @ scaler.mean_
    weights = weights * is_used
    if len(bias) == 1:  # two classes: scikit-learn keeps the logit of the second alone
        return np.stack([np.zeros_like(weights[0]), weights[0]]), np.array([0.0, bias[0]])
    return weights, bias
