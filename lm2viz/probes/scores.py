"""Cross-validated hits of one probe and of its controls, sample by sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm2viz.estimates import Estimate, mean
from lm2viz.probes.linear import predict, slot_features, story_folds
from lm2viz.probes.samples import Array, Codes, Samples, Slot

PROBE, MAJORITY, SHUFFLED = "probe", "majority", "shuffled labels"
CONTROL_TASK, UNTRAINED = "control task", "untrained model"
PROGRESS_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out hits.

    hits : by name, ndarray of bool of shape (n_samples,)
    slots : the probe's slot in each fold, chosen on the other folds
    story : ndarray of shape (n_samples,)
    """

    hits: dict[str, NDArray[np.bool_]]
    slots: tuple[int, ...]
    story: Codes

    def estimate(self, name: str, *, minus: str | None = None) -> Estimate:
        """The accuracy, or how much higher it is than another, with an interval over stories."""
        values = self.hits[name]
        return mean(values if minus is None else values - self.hits[minus].astype(float), groups=self.story)


def tasks_of(samples: Samples) -> dict[str, Codes]:
    """The labels that probes learn: the fact's own, and those of two controls."""
    return {
        PROBE: samples.labels,
        SHUFFLED: samples.shuffled,
        CONTROL_TASK: samples.control_task,
    }


def cross_validate(
    samples: Samples, *, slot: Slot, n_folds: int, seed: int, control: Array | None = None
) -> Scores:
    """Score the probe and its controls on every fold of stories.

    "best" is chosen within the training stories, by each control for itself, so that the luck of the best of
    many slots is in all alike.

    control : features of an untrained model at the same samples
    """
    fold = story_folds(samples.story, n_folds, seed=seed)
    named = tasks_of(samples)
    tasks = np.stack(list(named.values()))
    sources = [(slot_features(samples.features, slot), tasks, list(named))]
    if control is not None:
        sources.append((slot_features(control, slot), tasks[:1], [UNTRAINED]))
    hits = {name: np.zeros(len(fold), dtype=bool) for name in (*named, MAJORITY)}
    hits |= {UNTRAINED: np.zeros(len(fold), dtype=bool)} if control is not None else {}
    chosen = []
    for k in range(n_folds):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        for features, labels, names in sources:
            found = predict(features, labels, samples.story, train=train, test=test, seed=seed)
            for i, name in enumerate(names):
                hits[name][test] = found.probabilities[i].argmax(-1) == labels[i, test]
            if names[0] == PROBE:
                chosen.append(int(found.slots[0]))
        hits[MAJORITY][test] = samples.labels[test] == majority(samples.labels[train])
    slots = tuple(chosen) if slot == "best" else ()
    return Scores(hits, slots, samples.story)


def majority(labels: Codes) -> int:
    """The commonest label, the first of equals."""
    return int(np.bincount(labels).argmax())
