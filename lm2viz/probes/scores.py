"""Cross-validated hits of a probe and of its controls, sample by sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm2viz.estimates import Estimate, mean
from lm2viz.probes.linear import predict, slot_features, story_folds
from lm2viz.probes.samples import Codes, Samples, Slot
from lm2viz.progress import track
from lm2viz.sample.banks import Banks

PROBE, MAJORITY, SHUFFLED = "probe", "majority", "shuffled labels"
CONTROL_TASK, UNTRAINED = "control task", "untrained model"
Source = tuple[Banks, Mapping[str, Codes]]  # features, and the labels to predict from them, by name


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out hits.

    hits : by name, ndarray of bool of shape (n_samples,)
    slots : the probe's slot in each fold, chosen on the other folds; empty if the slot was given
    story, age : as in ``Samples``
    """

    hits: dict[str, NDArray[np.bool_]]
    slots: tuple[int, ...]
    story: Codes
    age: Codes

    @property
    def n_stories(self) -> int:
        """Number of different stories."""
        return len(np.unique(self.story))

    @property
    def most_chosen(self) -> int:
        """The slot chosen in most folds; only where it was not given."""
        return int(np.bincount(self.slots).argmax())

    def estimate(self, name: str, *, minus: str | None = None) -> Estimate:
        """The accuracy of ``name``, or its difference to that of ``minus``, with an interval over stories."""
        if minus is None:
            return mean(self.hits[name], groups=self.story)
        difference = self.hits[name].astype(int) - self.hits[minus]
        return mean(difference, groups=self.story, within=(-1, 1))


def probe_in_words(fact: str, where: str, accuracy: Estimate, untrained: Estimate | None) -> str:
    """What a probe found beside the same probe of an untrained model, in a sentence.

    where : "slot 13", "the whole bank"
    """
    decoded = f"a probe decodes it after {accuracy.value:.0%} of sentences of stories it was not trained on"
    if untrained is None:
        return f"{where.capitalize()}: {fact}; {decoded}."
    control = f"in an untrained model, {untrained.value:.0%}"
    if accuracy.low > untrained.high:
        return f"{where.capitalize()} holds the {fact}: {decoded}; {control}."
    return f"Not shown that {where} holds the {fact}: {decoded}; {control}."


def tasks_of(samples: Samples) -> dict[str, Codes]:
    """The labels that probes learn, by name: the fact's own and those of two controls."""
    return {
        PROBE: samples.labels,
        SHUFFLED: samples.shuffled,
        CONTROL_TASK: samples.control_task,
    }


def sources_of(
    samples: Samples, tasks: Mapping[str, Codes], untrained: Banks | None, slot: Slot
) -> list[Source]:
    """The samples with ``tasks`` and, if given, the features of an untrained model with the fact's labels."""
    sources: list[Source] = [(slot_features(samples.features, slot), tasks)]
    if untrained is not None:
        sources.append((slot_features(untrained, slot), {UNTRAINED: samples.labels}))
    return sources


def cross_validate(
    samples: Samples,
    *,
    slot: Slot,
    n_folds: int,
    seed: int,
    untrained: Banks | None = None,
    tasks: Mapping[str, Codes] | None = None,
) -> Scores:
    """Score the probe and its controls on every fold of stories.

    The best slot is chosen within the training stories, by each control for itself, so that the bias of
    picking the best of many slots is the same in all.

    untrained : features of an untrained model at the same samples
    tasks : labels to learn, by name, ``PROBE`` first; None for those of ``tasks_of``
    """
    fold = story_folds(samples.story, n_folds, seed=seed)
    sources = sources_of(samples, tasks or tasks_of(samples), untrained, slot)
    training = [np.flatnonzero(fold != k) for k in range(n_folds)]
    hits, slots = held_out_hits(samples, sources, fold, training, seed=seed)
    return Scores(hits, slots if slot == "best" else (), samples.story, samples.age)


def held_out_hits(
    samples: Samples, sources: Sequence[Source], fold: Codes, training: Sequence[Codes], *, seed: int
) -> tuple[dict[str, NDArray[np.bool_]], tuple[int, ...]]:
    """Hits by name, including the majority control, and the slot of each fold's probe.

    fold : ndarray of shape (n_samples,)
    training : for each fold, indices of the samples that its probes are trained on
    """
    (_, first), *others = sources
    names = [*first, MAJORITY, *(name for _, tasks in others for name in tasks)]
    hits = {name: np.zeros(len(fold), dtype=bool) for name in names}
    slots = []
    for k, train in enumerate(track(training, "probing", "fold")):
        test = np.flatnonzero(fold == k)
        for features, tasks in sources:
            labels = np.stack(list(tasks.values()))
            predictions = predict(features, labels, samples.story, train=train, test=test, seed=seed)
            for name, truth, predicted in zip(tasks, labels, predictions.probabilities, strict=True):
                hits[name][test] = predicted.argmax(-1) == truth[test]
            if PROBE in tasks:
                slots.append(int(predictions.slots[0]))
        hits[MAJORITY][test] = samples.labels[test] == majority(samples.labels[train])
    return hits, tuple(slots)


def majority(labels: Codes) -> int:
    """The most frequent label; the first in a tie."""
    return int(np.bincount(labels).argmax())
