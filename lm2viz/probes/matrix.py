"""Which slot holds which fact: a linear probe of every slot for every fact, beside its controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, Estimates, by_story
from lm2viz.figures.probes import slot_fact_panels
from lm2viz.probes.linear import ridge_hits, slot_features, story_folds
from lm2viz.probes.samples import Codes, Samples, untrained_features, usable_samples
from lm2viz.probes.scores import (
    CONTROL_TASK,
    MAJORITY,
    PROBE,
    UNTRAINED,
    Scores,
    cross_validate,
    tasks_of,
)
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows

SELECTIVITY = "selectivity"  # probe minus control task, by sample
NOT_PROBED = Estimate(np.nan, np.nan, np.nan, 0)


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """Which slot holds which fact.

    facts : all that were asked for; those that could not be probed are in neither of the next two
    cells : by fact and name (probe, controls and ``SELECTIVITY``), figures of shape (n_slots + 1,) of ridge
        classification, with intervals over stories; the last is the whole bank
    best : by fact, the slot that is best on the training stories, scored on the others by logistic regression
    """

    facts: tuple[str, ...]
    cells: dict[str, dict[str, Estimates]] = field(repr=False)
    best: dict[str, Scores] = field(repr=False)

    @property
    def names(self) -> list[str]:
        """The probe and its controls."""
        first = next(iter(self.cells.values()))
        return [name for name in first if name != SELECTIVITY]

    def matrix(self, name: str = PROBE) -> Array:
        """One figure of all cells, (n_slots + 1, n_facts) in [0, 1]; NaN where a fact could not be probed."""
        unknown = np.full_like(next(iter(self.cells.values()))[name].value, np.nan)
        return np.stack(
            [self.cells[fact][name].value if fact in self.cells else unknown for fact in self.facts], axis=1
        )

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
        for fact in self.facts:
            if fact not in self.best:
                lines.append(f"{fact}: too few stories or values")
                continue
            scores, slot, n = self.best[fact], self.slot_of(fact), self.best[fact].n_stories
            chosen = f"slot {slot} (chosen in {scores.slots.count(slot)} of {len(scores.slots)} folds)"
            lines.append(f"{fact}: {chosen} {self.accuracy(fact).as_share()} of rows of {n} stories")
            controls = [name for name in scores.hits if name != PROBE]
            text = [f"{name} {self.accuracy(fact, name).as_share()}" for name in controls]
            lines.append(f"  beside it: {', '.join(text)}; selectivity {self.selectivity(fact)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a slot and fact, then the whole bank, then "best"; accuracies are fractions."""
        n_slots, accuracies = len(self.matrix()) - 1, []
        names, slots = [*self.names, SELECTIVITY], [*map(str, range(n_slots)), "bank"]
        for fact in self.facts:
            if fact not in self.best:
                accuracies += [_row(slot, fact, 0, dict.fromkeys(names, NOT_PROBED)) for slot in slots]
                continue
            n_stories = self.best[fact].n_stories
            for i, slot in enumerate(slots):
                cell = {name: self.cells[fact][name].at(i) for name in names}
                accuracies.append(_row(slot, fact, n_stories, cell))
            best = {name: self.accuracy(fact, name) for name in self.names}
            accuracies.append(_row("best", fact, n_stories, best | {SELECTIVITY: self.selectivity(fact)}))
        return pd.DataFrame(accuracies)

    def figure(self) -> go.Figure:
        """The matrices of probe and controls, and the best slots with intervals."""
        shown = [fact for fact in self.facts if fact in self.best]
        points = {name: [self.accuracy(fact, name) for fact in shown] for name in self.names}
        return slot_fact_panels(
            {name: self.matrix(name).T for name in self.names if name != MAJORITY},
            facts=self.facts,
            best={fact: self.slot_of(fact) for fact in shown},
            estimates={
                name: np.array([[e.value, e.low, e.high] for e in values]) for name, values in points.items()
            },
        )


def probe(
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
    UserError
        For rows without facts, an unknown fact, untrained rows of other stories, and a fact with too few
        stories or one value only, if it was asked for by name or there is no other.
    """
    samples = usable_samples(rows, facts, n_folds=n_folds, seed=seed)
    cells, best = {}, {}
    for fact, true_class in track(samples.items(), "probing", "fact"):
        if true_class is None:
            continue
        random_features = untrained_features(rows, untrained, fact)
        best[fact] = cross_validate(
            true_class, slot="best", n_folds=n_folds, seed=seed, untrained=random_features
        )
        learnt = _cells(true_class, random_features, n_folds, seed)
        majority = np.broadcast_to(best[fact].hits[MAJORITY], learnt[PROBE].shape)
        hits = {PROBE: learnt[PROBE], MAJORITY: majority, **learnt}
        cells[fact] = {name: by_story(values.T, true_class.story) for name, values in hits.items()}
        more = hits[PROBE].astype(int) - hits[CONTROL_TASK]
        cells[fact][SELECTIVITY] = by_story(more.T, true_class.story, within=(-1, 1))
    return SlotFacts(tuple(samples), cells, best)


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

    accuracies = dict(zip(named, hits(samples.features, tasks), strict=True))
    if untrained is not None:
        accuracies[UNTRAINED] = hits(untrained, tasks[:1])[0]
    return accuracies


def _row(slot: str, fact: str, n_stories: int, accuracies: dict[str, Estimate]) -> dict[str, object]:
    row: dict[str, object] = {"slot": slot, "fact": fact}
    for name, it in accuracies.items():
        key = name.replace(" ", "_")
        low, high = ("low", "high") if name == PROBE else (f"{key}_low", f"{key}_high")
        row |= {"accuracy" if name == PROBE else key: it.value, low: it.low, high: it.high}
    return row | {"n_rows": accuracies[PROBE].n, "n_stories": n_stories}
