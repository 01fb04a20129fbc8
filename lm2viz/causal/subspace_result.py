"""The result of a search for the subspace that carries a fact: exchanged, steered and erased."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.causal.describe import slots_in_words
from lm2viz.causal.interchange_scores import Effects
from lm2viz.causal.subspace import Subspace
from lm2viz.estimates import Estimate
from lm2viz.figures.interchange import share_points

FOUND, WHOLE, RANDOM = "this subspace", "the slots as a whole", "random subspace"
SHUFFLED, UNTRAINED, STEERED = "shuffled answers", "untrained model", "steered to the value"
UNERASED, ERASED, LEACE, ERASED_RANDOM = (
    "nothing erased",
    "this subspace erased",
    "LEACE",
    "random subspace erased",
)
MOST_NAMED = 8  # slots in a sentence
MEASURES = ("interchange", "isolation", "product", "follow")


@dataclass(frozen=True, slots=True)
class Erasure:
    """What remains when directions are removed from slots.

    n_dims : how many
    changed : share of the answers about the fact that change
    isolation : share of the other answers that stay
    decoded : share of moments at which a linear probe of the slots still finds the answer
    """

    n_dims: int
    changed: Estimate
    isolation: Estimate
    decoded: Estimate


@dataclass(frozen=True, slots=True)
class SubspaceEffects:
    """A subspace found on some stories and scored on others, beside controls.

    effects : by condition; all but ``STEERED`` exchange what is named
    fit : by trained condition, the interchange on the pairs that it was trained on
    erasures : by what is removed
    """

    fact: str
    model: str
    subspace: Subspace = field(repr=False)
    effects: Mapping[str, Effects]
    fit: Mapping[str, float]
    erasures: Mapping[str, Erasure]
    n_pairs: int
    n_stories: int

    @property
    def is_carried(self) -> bool:
        """Whether the interval of the subspace lies above those of every control."""
        highs = [self.effects[name].interchange.high for name in (RANDOM, SHUFFLED, UNTRAINED)]
        return self.effects[FOUND].interchange.low > max(highs)

    @property
    def verdict(self) -> str:
        """How well the subspace carries the fact, beside the slots as a whole, in a sentence."""
        own, whole = self.effects[FOUND], self.effects[WHOLE]
        size = f"{self.subspace.n_dims} dimension{'s' * (self.subspace.n_dims > 1)}"
        slots = self.subspace.slots
        where = slots_in_words(slots) if len(slots) <= MOST_NAMED else f"{len(slots)} slots"
        claim = f"{size} of {where} carry the {self.fact}"
        claim = claim if self.is_carried else f"Not shown that {claim}"
        return (
            f"{claim}: exchanged between stories, {own.interchange.value:.0%} of its answers become what "
            f"they must and {own.isolation.value:.0%} of the other answers stay ({where} as a whole: "
            f"{whole.interchange.value:.0%} and {whole.isolation.value:.0%})."
        )

    def summary(self) -> str:
        """The verdict, then every condition, and what remains when directions are erased."""
        slots = sorted(self.subspace.share_by_slot.items(), key=lambda it: -it[1])
        lines = [
            self.verdict,
            f"Distributed alignment search in {self.model}, scored on other stories: {self.n_pairs} pairs of "
            f"{self.n_stories} stories, 95 % intervals over stories",
            "share of the subspace: " + ", ".join(f"slot {slot} {x:.0%}" for slot, x in slots[:MOST_NAMED]),
        ]
        for name, effects in self.effects.items():
            values = [f"{m} {e.as_share()}" for m in MEASURES if (e := getattr(effects, m)).n]
            trained = f"; on the pairs of its training {self.fit[name]:.1%}" if name in self.fit else ""
            lines.append(f"{name}: {', '.join(values)}{trained}")
        lines += [
            f"{_with_size(name, it)}: {it.changed.as_share()} of its answers change, isolation "
            f"{it.isolation.as_share()}; a probe still finds {it.decoded.as_share()}"
            for name, it in self.erasures.items()
        ]
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per condition, and one per erasure; shares are fractions, empty where not measured."""
        rows: list[dict[str, object]] = []
        for name, effects in self.effects.items():
            row: dict[str, object] = {"edit": name, "trained_on": self.fit.get(name, np.nan)}
            for measure in MEASURES:
                row |= _columns(measure, getattr(effects, measure))
            rows.append(row | {"n_pairs": self.n_pairs})
        for name, erasure in self.erasures.items():
            row = {"edit": name, "n_dims": erasure.n_dims, "n_pairs": self.n_pairs}
            for measure in ("changed", "isolation", "decoded"):
                row |= _columns(measure, getattr(erasure, measure))
            rows.append(row)
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """A point with its interval for each condition and measure."""
        value, low, high = (
            np.array([[getattr(getattr(e, m), end) for m in MEASURES] for e in self.effects.values()])
            for end in ("value", "low", "high")
        )
        return share_points(value, low, high, rows=list(self.effects), measures=MEASURES)


def _with_size(name: str, it: Erasure) -> str:
    return name if not it.n_dims else f"{name} ({it.n_dims} dimension{'s' * (it.n_dims > 1)})"


def _columns(name: str, it: Estimate) -> dict[str, object]:
    return {name: it.value, f"{name}_low": it.low, f"{name}_high": it.high}
