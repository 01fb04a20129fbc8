"""Decay: how well a fact can be decoded, by the number of sentences since it was stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.estimates import Estimate, columns, mean
from lm2viz.figures.probes import accuracy_lines
from lm2viz.probes.samples import Slot, slot_phrase, untrained_features, usable_samples
from lm2viz.probes.scores import MAJORITY, PROBE, SHUFFLED, UNTRAINED, Scores, cross_validate
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows

EDGES = (0, 1, 2, 3, 5, 8, 13, 21)  # ages in sentences at which bins begin; the last bin is open


@dataclass(frozen=True, slots=True)
class AgeBin:
    """Held-out accuracies, by name, for facts stated ``first`` to ``last`` sentences ago."""

    first: int
    last: int
    n_stories: int
    accuracy: dict[str, Estimate]

    @property
    def name(self) -> str:
        """The ages in the bin, as on an axis: "3" or "3-4"."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Decay:
    """Probe accuracy by age of the fact, pooled over ``facts``; empty bins are omitted."""

    facts: tuple[str, ...]
    slot: Slot
    bins: tuple[AgeBin, ...]

    @property
    def verdict(self) -> str:
        """Accuracy for the youngest and the oldest facts beside their control, in a sentence."""
        young, old = self.bins[0], self.bins[-1]
        control = UNTRAINED if UNTRAINED in old.accuracy else MAJORITY
        what = f"the {self.facts[0]}" if len(self.facts) == 1 else f"{len(self.facts)} facts"
        return (
            f"A probe of {slot_phrase(self.slot)} decodes {what} in {young.accuracy[PROBE].value:.0%} of "
            f"cases {_when(young.name)} and in {old.accuracy[PROBE].value:.0%} {_when(old.name)}; "
            f"control ({control}), {old.accuracy[control].value:.0%}."
        )

    def summary(self) -> str:
        """The verdict, then accuracy in the youngest and in the oldest bin, with the controls."""
        lines = [
            self.verdict,
            f"Accuracy of decoding {', '.join(self.facts)} from {slot_phrase(self.slot)}, by age of the "
            "fact; 95 % intervals over stories",
        ]
        for part in (self.bins[0], self.bins[-1]):
            text = [f"{name} {estimate.as_share()}" for name, estimate in part.accuracy.items()]
            lines.append(f"stated {part.name} sentences ago ({part.n_stories} stories): {', '.join(text)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per bin."""
        names = [name for name in self.bins[0].accuracy if name != PROBE]
        by_name = {name: [part.accuracy[name] for part in self.bins] for name in (PROBE, *names)}
        controls = [columns(name.replace(" ", "_"), by_name[name]) for name in names]
        return pd.DataFrame(
            {
                "first_age": [part.first for part in self.bins],
                "last_age": [part.last for part in self.bins],
                "accuracy": [e.value for e in by_name[PROBE]],
                "low": [e.low for e in by_name[PROBE]],
                "high": [e.high for e in by_name[PROBE]],
                **{name: values for control in controls for name, values in control.items()},
                "n_rows": [e.n for e in by_name[PROBE]],
                "n_stories": [part.n_stories for part in self.bins],
            }
        )

    def figure(self) -> go.Figure:
        """Accuracy over age, with its controls."""
        by_name = {name: [part.accuracy[name] for part in self.bins] for name in self.bins[0].accuracy}
        return accuracy_lines(
            range(len(self.bins)),
            {name: np.array([[e.value, e.low, e.high] for e in values]) for name, values in by_name.items()},
            ticks=[part.name for part in self.bins],
            title="age of the fact (sentences since it was stated)",
            counts=[f"{part.accuracy[PROBE].n} rows of {part.n_stories} stories" for part in self.bins],
        )


def decay(
    rows: BankRows,
    *,
    facts: str | Sequence[str] | None = None,
    untrained: BankRows | None = None,
    slot: Slot = "best",
    edges: Sequence[int] = EDGES,
    n_folds: int = 5,
    seed: int = 0,
) -> Decay:
    """Cross-validate a logistic probe over stories and average its hits by the age of the fact.

    facts : the facts to pool; None for all that can be probed
    untrained : rows of the same stories read by an untrained model
    slot : a number, "bank" for all slots together, or "best": chosen on the training stories of each fold
    edges : ages in sentences at which bins begin, ascending from 0; the last bin is open

    Raises
    ------
    UserError
        As ``probe``; for a slot that the bank does not have, or edges that do not ascend from 0.
    """
    _check_edges(edges)
    by_fact = usable_samples(rows, facts, n_folds=n_folds, seed=seed)
    usable = [samples for samples in by_fact.values() if samples is not None]
    scores = {}
    for samples in track(usable, "probing", "fact"):
        random_features = untrained_features(rows, untrained, samples.fact)
        scores[samples.fact] = cross_validate(
            samples, slot=slot, n_folds=n_folds, seed=seed, untrained=random_features
        )
    return decay_of(scores, slot=slot, edges=edges)


def decay_of(scores: Mapping[str, Scores], *, slot: Slot = "best", edges: Sequence[int] = EDGES) -> Decay:
    """``decay`` of facts whose probes have been scored, such as ``probe(rows).best``: nothing is fitted.

    slot : what the scores are of
    """
    _check_edges(edges)
    several = list(scores.values())
    names = [name for name in (PROBE, MAJORITY, SHUFFLED, UNTRAINED) if name in several[0].hits]
    hits = {name: np.concatenate([one.hits[name] for one in several]) for name in names}
    age, story = (np.concatenate([getattr(one, name) for one in several]) for name in ("age", "story"))
    place = np.searchsorted(edges, age, side="right") - 1
    bins = tuple(_bin(age[place == i], story[place == i], hits, place == i) for i in np.unique(place))
    return Decay(tuple(scores), slot, bins)


def _check_edges(edges: Sequence[int]) -> None:
    if not edges or edges[0] != 0 or list(edges) != sorted(set(edges)):
        raise UserError(f"edges must ascend from 0, got {list(edges)}")


def _bin(
    age: NDArray[np.int_],
    story: NDArray[np.int_],
    hits: dict[str, NDArray[np.bool_]],
    chosen: NDArray[np.bool_],
) -> AgeBin:
    accuracy = {name: mean(values[chosen], groups=story) for name, values in hits.items()}
    return AgeBin(int(age.min()), int(age.max()), len(np.unique(story)), accuracy)


def _when(age: str) -> str:
    return "right after it was stated" if age == "0" else f"{age} sentences later"
