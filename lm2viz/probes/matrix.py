"""Which slot holds which fact: a linear probe of every slot for every fact, with controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.arrays import Array
from lm2viz.estimates import MARGIN, Estimate, Estimates, above_zero_p, by_story
from lm2viz.figures.probes import slot_fact_panels
from lm2viz.probes.linear import story_folds
from lm2viz.probes.ridge import bank_hits, ridge_hits
from lm2viz.probes.samples import Codes, Samples, untrained_features, usable_samples
from lm2viz.probes.scores import (
    CONTROL_TASK,
    MAJORITY,
    PROBE,
    UNTRAINED,
    Scores,
    cross_validate,
    probe_in_words,
    tasks_of,
)
from lm2viz.progress import track
from lm2viz.sample.banks import Banks
from lm2viz.sample.rows import BankRows

SELECTIVITY = "selectivity"  # probe minus control task, per sample
NOT_PROBED = Estimate(np.nan, np.nan, np.nan, 0)


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """Which slot holds which fact.

    facts : all requested facts; those that could not be probed are missing from ``cells`` and ``best``
    cells : by fact and name (probe, controls and ``SELECTIVITY``), estimates of shape (n_slots + 1,) by ridge
        classification, with intervals over stories; the last one is the whole bank
    best : by fact, the slot that is best on the training stories, scored on the others by logistic regression
    p : by fact, ndarray of shape (n_slots,): uncorrected one-sided p over stories of whether the probe of a
        slot is right in more rows than each control, by more than ``MARGIN``; the largest of the controls
    """

    facts: tuple[str, ...]
    cells: dict[str, dict[str, Estimates]] = field(repr=False)
    best: dict[str, Scores] = field(repr=False)
    p: dict[str, Array] = field(repr=False)

    @property
    def names(self) -> list[str]:
        """The probe and its controls."""
        first = next(iter(self.cells.values()))
        return [name for name in first if name != SELECTIVITY]

    def matrix(self, name: str = PROBE) -> Array:
        """Accuracy of all cells, (n_slots + 1, n_facts) in [0, 1]; NaN where a fact could not be probed."""
        unknown = np.full_like(next(iter(self.cells.values()))[name].value, np.nan)
        return np.stack(
            [self.cells[fact][name].value if fact in self.cells else unknown for fact in self.facts], axis=1
        )

    def slot_of(self, fact: str) -> int:
        """The slot chosen in most folds; KeyError for a fact that could not be probed."""
        return self.best[fact].most_chosen

    def accuracy(self, fact: str, name: str = PROBE, *, minus: str | None = None) -> Estimate:
        """Accuracy at the best slot, of the probe or a control, or the difference to that of ``minus``."""
        return self.best[fact].estimate(name, minus=minus)

    def selectivity(self, fact: str) -> Estimate:
        """Selectivity at the best slot: accuracy minus that of the control task."""
        return self.accuracy(fact, minus=CONTROL_TASK)

    def best_fact(self) -> str:
        """The probed fact whose best slot exceeds the untrained model's (or, without one, chance) most."""
        control = UNTRAINED if UNTRAINED in self.names else MAJORITY
        return max(self.best, key=lambda fact: self.accuracy(fact, minus=control).value)

    def verdict(self, fact: str | None = None) -> str:
        """The best slot of a fact beside the untrained model, in a sentence; None: of ``best_fact``."""
        if not self.best:
            return "No fact could be probed: too few stories or values."
        fact = fact or self.best_fact()
        control = self.accuracy(fact, UNTRAINED) if UNTRAINED in self.names else None
        return probe_in_words(fact, f"slot {self.slot_of(fact)}", self.accuracy(fact), control)

    def summary(self) -> str:
        """The verdict, then the best slot of each fact, with its accuracy, controls and selectivity."""
        lines = [self.verdict(), "Best slot for each fact: held-out accuracy, 95 % intervals over stories"]
        for fact in self.facts:
            if fact not in self.best:
                lines.append(f"{fact}: too few stories or values")
                continue
            scores, slot, n = self.best[fact], self.slot_of(fact), self.best[fact].n_stories
            chosen = f"slot {slot} (chosen in {scores.slots.count(slot)} of {len(scores.slots)} folds)"
            lines.append(f"{fact}: {chosen} {self.accuracy(fact).as_share()}, {n} stories")
            controls = [name for name in scores.hits if name != PROBE]
            text = [f"{name} {self.accuracy(fact, name).as_share()}" for name in controls]
            lines.append(f"  controls: {', '.join(text)}; selectivity {self.selectivity(fact)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per slot and fact, then the whole bank, then "best"; accuracies are fractions."""
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
        """Matrices of the probe and its controls, and the best slots with intervals."""
        probed = [fact for fact in self.facts if fact in self.best]
        points = {name: [self.accuracy(fact, name) for fact in probed] for name in self.names}
        return slot_fact_panels(
            {name: self.matrix(name).T for name in self.names if name != MAJORITY},
            facts=self.facts,
            best={fact: self.slot_of(fact) for fact in probed},
            estimates={
                name: np.array([[e.value, e.low, e.high] for e in values]) for name, values in points.items()
            },
        )


def probe(
    rows: BankRows,
    *,
    facts: str | Sequence[str] | None = None,
    untrained: BankRows | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> SlotFacts:
    """Probe every slot, and the whole bank, for every fact.

    Cells are cross-validated ridge classification. The best slot of a fact is chosen by ridge on the training
    stories and scored on the others by multinomial logistic regression. Each control chooses its own best
    slot in the same way, so that picking the best of many slots favours none of them.

    facts : None for all; those that cannot be probed are then NaN
    untrained : rows of the same stories read by an untrained model

    Raises
    ------
    UserError
        For rows without facts, an unknown fact, or untrained rows of other stories; for a fact with too few
        stories or a single value, if it was requested by name or no other can be probed.
    """
    by_fact = usable_samples(rows, facts, n_folds=n_folds, seed=seed)
    cells, best, p = {}, {}, {}
    for fact, samples in track(by_fact.items(), "probing", "fact"):
        if samples is None:
            continue
        random_features = untrained_features(rows, untrained, fact)
        best[fact] = cross_validate(
            samples, slot="best", n_folds=n_folds, seed=seed, untrained=random_features
        )
        learnt = _cells(samples, random_features, n_folds, seed)
        majority = np.broadcast_to(best[fact].hits[MAJORITY], learnt[PROBE].shape)
        hits = {PROBE: learnt[PROBE], MAJORITY: majority, **learnt}
        cells[fact] = {name: by_story(values.T, samples.story) for name, values in hits.items()}
        difference = hits[PROBE].astype(int) - hits[CONTROL_TASK]
        cells[fact][SELECTIVITY] = by_story(difference.T, samples.story, within=(-1, 1))
        p[fact] = _p_above_controls(hits, samples.story, seed)
    return SlotFacts(tuple(by_fact), cells, best, p)


def _p_above_controls(hits: dict[str, NDArray[np.bool_]], story: Codes, seed: int) -> Array:
    """p (n_slots,) against the control that is hardest to beat; without the whole bank."""
    of_controls = [
        above_zero_p((hits[PROBE].astype(float) - values - MARGIN)[:-1].T, story, seed=seed)
        for name, values in hits.items()
        if name != PROBE
    ]
    return np.max(of_controls, axis=0)


def _cells(
    samples: Samples, untrained: Banks | None, n_folds: int, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """Hits of every slot and, last, of the whole bank, by name; each of shape (n_slots + 1, n_samples)."""
    fold = story_folds(samples.story, n_folds, seed=seed)
    named = tasks_of(samples)
    tasks = np.stack(list(named.values()))

    def hits(features: Banks, labels: Codes) -> NDArray[np.bool_]:
        of_bank = bank_hits(features, labels, fold)[:, None]
        return np.concatenate([ridge_hits(features, labels, fold), of_bank], axis=1)

    by_name = dict(zip(named, hits(samples.features, tasks), strict=True))
    if untrained is not None:
        by_name[UNTRAINED] = hits(untrained, tasks[:1])[0]
    return by_name


def _row(slot: str, fact: str, n_stories: int, accuracies: dict[str, Estimate]) -> dict[str, object]:
    row: dict[str, object] = {"slot": slot, "fact": fact}
    for name, e in accuracies.items():
        key = name.replace(" ", "_")
        low, high = ("low", "high") if name == PROBE else (f"{key}_low", f"{key}_high")
        row |= {"accuracy" if name == PROBE else key: e.value, low: e.low, high: e.high}
    return row | {"n_rows": accuracies[PROBE].n, "n_stories": n_stories}
