"""Which slot holds which fact: a linear probe of every slot for every fact, beside its controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.estimates import Estimate, mean
from lm2viz.figures.probes import slot_fact_panels
from lm2viz.probes.linear import ridge_hits, slot_features, story_folds
from lm2viz.probes.samples import Array, Codes, Samples, untrained_features, usable_samples
from lm2viz.probes.scores import (
    CONTROL_TASK,
    MAJORITY,
    PROBE,
    SHUFFLED,
    UNTRAINED,
    Scores,
    cross_validate,
    tasks_of,
)
from lm2viz.progress import track
from lm2viz.rows import BankRows


@dataclass(frozen=True, slots=True)
class Cells:
    """Held-out accuracies of ridge classification.

    accuracy : by name (probe and controls), ndarray of shape (n_slots + 1, n_facts) in [0, 1]; the last row
        is the whole bank, a fact that cannot be probed is NaN
    low, high : the probe's interval over stories, of the same shape
    n_rows, n_stories : ndarrays of shape (n_facts,), 0 for a fact that cannot be probed
    """

    accuracy: dict[str, Array]
    low: Array
    high: Array
    n_rows: Array
    n_stories: Array


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """Which slot holds which fact.

    cells : of every slot and the whole bank, for the picture
    best : by fact, the slot that is best on the training stories, scored on the others by logistic regression
    """

    facts: tuple[str, ...]
    cells: Cells
    best: dict[str, Scores] = field(repr=False)

    def slot_of(self, fact: str) -> int:
        """The slot that was chosen in most folds; a KeyError for a fact that could not be probed."""
        return int(np.bincount(self.best[fact].slots).argmax())

    def accuracy(self, fact: str, name: str = PROBE, *, minus: str | None = None) -> Estimate:
        """Of the best slot: the probe, a control, or how much higher the first is than the second."""
        return self.best[fact].estimate(name, minus=minus)

    def selectivity(self, fact: str) -> Estimate:
        """Of the best slot: accuracy minus that of the control task, by sample."""
        return self.accuracy(fact, minus=CONTROL_TASK)

    def summary(self) -> str:
        """The best slot of each fact with its controls."""
        lines = []
        for fact, n in zip(self.facts, self.cells.n_stories, strict=True):
            if fact not in self.best:
                lines.append(f"{fact}: too few stories or values")
                continue
            scores, slot = self.best[fact], self.slot_of(fact)
            chosen = f"slot {slot} (chosen in {scores.slots.count(slot)} of {len(scores.slots)} folds)"
            lines.append(f"{fact}: {chosen} {self.accuracy(fact).as_share()} of rows of {n} stories")
            controls = [name for name in scores.hits if name != PROBE]
            told = [f"{name} {self.accuracy(fact, name).as_share()}" for name in controls]
            lines.append(f"  beside it: {', '.join(told)}; selectivity {self.selectivity(fact)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a slot and fact, then the whole bank, then "best"; accuracies are fractions."""
        cells, n_slots = self.cells, len(self.cells.low) - 1
        found = []
        for j, fact in enumerate(self.facts):
            sizes = {"n_rows": cells.n_rows[j], "n_stories": cells.n_stories[j]}
            for i, slot in enumerate([*map(str, range(n_slots)), "bank"]):
                accuracy = {name: values[i, j] for name, values in cells.accuracy.items()}
                found.append(_row(slot, fact, accuracy, (cells.low[i, j], cells.high[i, j])) | sizes)
            if fact in self.best:
                of = {name: self.accuracy(fact, name) for name in self.best[fact].hits}
                accuracy = {name: estimate.value for name, estimate in of.items()}
                found.append(_row("best", fact, accuracy, (of[PROBE].low, of[PROBE].high)) | sizes)
        return pd.DataFrame(found)

    def figure(self) -> go.Figure:
        """The matrices of probe and controls, and the best slots with intervals."""
        shown = [fact for fact in self.facts if fact in self.best]
        points = {
            name: [self.accuracy(fact, name) for fact in shown]
            for name in (PROBE, *self.cells.accuracy)
            if shown and name in self.best[shown[0]].hits
        }
        return slot_fact_panels(
            {name: values.T for name, values in self.cells.accuracy.items() if name != MAJORITY},
            facts=self.facts,
            best={fact: self.slot_of(fact) for fact in shown},
            estimates={
                name: np.array([[e.value, e.low, e.high] for e in values]) for name, values in points.items()
            },
        )


def slot_fact_matrix(
    rows: BankRows,
    *,
    facts: Sequence[str] | None = None,
    untrained: BankRows | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> SlotFacts:
    """Probe every slot, and the whole bank, for every fact.

    Cells are ridge classification (closed form). The best slot of a fact is chosen with it on the training
    stories and scored on the others by multinomial logistic regression; each control chooses its own slot
    alike, so the best slot stands beside the slot where the control task does best.

    facts : None for all; those that cannot be probed are NaN then
    untrained : rows of the same stories read by an untrained model

    Raises
    ------
    ValueError
        For rows without facts, an unknown fact, untrained rows of other stories, and a fact with too few
        stories or one value only, if it was asked for by name or there is no other.
    """
    samples = usable_samples(rows, facts, n_folds=n_folds, seed=seed)
    names = [PROBE, MAJORITY, SHUFFLED, CONTROL_TASK, *([] if untrained is None else [UNTRAINED])]
    shape = rows.banks.shape[1] + 1, len(samples)
    accuracy = {name: np.full(shape, np.nan) for name in names}
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    n_rows, n_stories = np.zeros(len(samples), dtype=int), np.zeros(len(samples), dtype=int)
    best = {}
    for j, (fact, own) in enumerate(track(samples.items(), "probing", "fact")):
        if own is None:
            continue
        random_features = untrained_features(rows, untrained, fact)
        n_rows[j], n_stories[j] = len(own.story), own.n_stories
        best[fact] = cross_validate(own, slot="best", n_folds=n_folds, seed=seed, untrained=random_features)
        accuracy[MAJORITY][:, j] = best[fact].hits[MAJORITY].mean()
        hits = _cells(own, random_features, n_folds, seed)
        for name, values in hits.items():
            accuracy[name][:, j] = values.mean(axis=-1)
        intervals = [mean(values, groups=own.story) for values in hits[PROBE]]
        low[:, j], high[:, j] = np.array([(e.low, e.high) for e in intervals]).T
    return SlotFacts(tuple(samples), Cells(accuracy, low, high, n_rows, n_stories), best)


def _cells(
    samples: Samples, untrained: Array | None, n_folds: int, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """Hits of every slot and then of the whole bank, by name, each of shape (n_slots + 1, n_samples)."""
    fold = story_folds(samples.story, n_folds, seed=seed)
    named = tasks_of(samples)
    tasks = np.stack(list(named.values()))

    def hits(features: Array, labels: Codes) -> NDArray[np.bool_]:
        kinds = (slot_features(features, "best"), slot_features(features, "bank"))
        return np.concatenate([ridge_hits(x, labels, fold) for x in kinds], axis=1)

    found = dict(zip(named, hits(samples.features, tasks), strict=True))
    if untrained is not None:
        found[UNTRAINED] = hits(untrained, tasks[:1])[0]
    return found


def _row(
    slot: str, fact: str, accuracy: dict[str, float], interval: tuple[float, float]
) -> dict[str, object]:
    controls = {name.replace(" ", "_"): value for name, value in accuracy.items() if name != PROBE}
    return {
        "slot": slot,
        "fact": fact,
        "accuracy": accuracy[PROBE],
        "low": interval[0],
        "high": interval[1],
        **controls,
        "selectivity": accuracy[PROBE] - accuracy[CONTROL_TASK],
    }
