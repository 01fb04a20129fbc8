"""Decode facts from a bank: one probe per fact, of the slot that holds it best, with held-out accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from lm2viz.arrays import Array
from lm2viz.estimates import Estimate
from lm2viz.probes.linear import choose_slots, logistic_probe
from lm2viz.probes.samples import Samples, untrained_features, usable_samples
from lm2viz.probes.scores import PROBE, Scores, cross_validate
from lm2viz.progress import track
from lm2viz.sample.banks import Banks
from lm2viz.sample.rows import BankRows

COLUMNS = ("fact", "true", "read", "probability", "is_right", "slot")


@dataclass(frozen=True, slots=True)
class FactProbe:
    """Decodes one fact from a bank.

    slot : the slot it decodes, chosen on all training stories
    scores : held-out hits of probes trained in the same way on some of these stories and scored on the
        others, and of the controls; each chose its own slot
    is_used : ndarray of bool of shape (n_dims,); False for dimensions that vary by rounding only
    probe : fitted on all stories; its classes are the values of the fact
    """

    fact: str
    slot: int
    scores: Scores
    is_used: NDArray[np.bool_]
    probe: Pipeline

    @property
    def n_stories(self) -> int:
        """Number of stories in which the fact is known."""
        return len(np.unique(self.scores.story))

    def decode(self, bank: Array) -> tuple[str, float]:
        """The most probable value given ``bank`` (n_slots, n_dims), and its probability in [0, 1]."""
        (probabilities,) = self.probe.predict_proba((bank[self.slot] * self.is_used)[None])
        best = int(probabilities.argmax())
        return str(self.probe.classes_[best]), float(probabilities[best])

    def accuracy(self, name: str = PROBE) -> Estimate:
        """Accuracy of the probe, or of a control, on held-out stories."""
        return self.scores.estimate(name)


def fit_fact_probes(
    rows: BankRows, *, untrained: BankRows | None = None, n_folds: int = 3, seed: int = 0
) -> dict[str, FactProbe]:
    """Fit a probe for each fact of ``rows`` that is known in enough stories and has more than one value.

    untrained : rows of the same stories read by an untrained model

    Raises
    ------
    UserError
        When no fact can be probed, with the reason, or for untrained rows of other stories.
    """
    by_fact = usable_samples(rows, None, n_folds=n_folds, seed=seed)
    return {
        fact: _fit(rows, samples, untrained_features(rows, untrained, fact), n_folds, seed)
        for fact, samples in track(by_fact.items(), "fitting probes", "fact")
        if samples is not None
    }


def _fit(rows: BankRows, samples: Samples, untrained: Banks | None, n_folds: int, seed: int) -> FactProbe:
    is_known = rows.facts[samples.fact].notna().to_numpy()
    slot = int(choose_slots(samples.features, samples.labels[None], samples.story, seed=seed)[0])
    is_used = np.asarray(samples.features[:, slot].any(axis=0))
    probe = logistic_probe()
    # Fitted on the raw banks, so that it applies to new ones; the probe does its own standardising.
    probe.fit(rows.banks[is_known, slot] * is_used, np.array(samples.classes)[samples.labels])
    tasks = {PROBE: samples.labels}
    scores = cross_validate(
        samples, slot="best", n_folds=n_folds, seed=seed, untrained=untrained, tasks=tasks
    )
    return FactProbe(samples.fact, slot, scores, is_used, probe)


def decode_facts(
    fact_probes: Mapping[str, FactProbe], bank: Array, facts: Mapping[str, Sequence[Any]]
) -> pd.DataFrame:
    """Compare the facts that hold with what the probes decode from ``bank`` (n_slots, n_dims).

    facts : by name, the true value and the sentence, from 0, since which it is known

    Returns one row per fact, sorted by name, with the columns ``fact``, ``true``, ``read`` (the decoded
    value), ``probability`` in [0, 1], ``is_right`` and ``slot``; the last four are missing without a probe.
    """
    rows: list[dict[str, Any]] = []
    for fact, (value, _) in sorted(facts.items()):
        row: dict[str, Any] = {"fact": fact, "true": value}
        if fact in fact_probes:
            decoded, probability = fact_probes[fact].decode(bank)
            row |= {"read": decoded, "probability": probability, "is_right": decoded == value}
            row |= {"slot": fact_probes[fact].slot}
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"probability": float, "is_right": "boolean", "slot": "Int64"})
