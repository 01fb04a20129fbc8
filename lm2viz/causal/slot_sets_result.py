"""The result of a search for the smallest set of slots that carries a fact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.causal.describe import slots_in_words
from lm2viz.causal.interchange_scores import Effects
from lm2viz.estimates import Estimate
from lm2viz.figures.interchange import set_curves

BY_INTERCHANGE, BY_BOTH, BY_GRADIENT = "by interchange", "by interchange and isolation", "by gradient"
GOAL = 0.9  # of interchange and of isolation, from which on a set carries a fact and nothing else


@dataclass(frozen=True, slots=True)
class SlotSet:
    """One set of slots, scored on stories that it was not found on.

    effects : its interchange (the set's faithfulness), isolation and product
    completeness : share of answers that stay when all slots but these are exchanged: 1 if nothing else
        carries the fact
    minimality : the least interchange that is lost without one of the slots: 0 if one is not needed
    of_random : interchange of as many random slots
    """

    slots: tuple[int, ...]
    effects: Effects
    completeness: Estimate
    minimality: float
    of_random: Estimate

    @property
    def is_found(self) -> bool:
        """Whether interchange and isolation both reach the goal."""
        return min(self.effects.interchange.value, self.effects.isolation.value) >= GOAL


@dataclass(frozen=True, slots=True)
class SlotSets:
    """Sets of growing size, by the way in which they were grown.

    paths : by way, the sets of one slot, two slots and so on
    bank : interchange of the whole bank, the most that slots can do
    """

    fact: str
    model: str
    paths: dict[str, tuple[SlotSet, ...]]
    bank: Estimate
    n_pairs: int
    n_stories: int

    @property
    def found(self) -> SlotSet | None:
        """The smallest set that reaches the goal, the one with the larger product of equal ones; or None."""
        reached = [each for path in self.paths.values() for each in path if each.is_found]
        return min(reached, key=lambda it: (len(it.slots), -it.effects.product.value), default=None)

    def best(self, measure: str) -> SlotSet:
        """The smallest set with the highest value of "interchange" or "product"."""
        sets = [each for path in self.paths.values() for each in path]
        return max(sets, key=lambda it: (getattr(it.effects, measure).value, -len(it.slots)))

    def area(self, path: str) -> float:
        """Mean interchange over the sizes of the sets, in [0, 1]: high if few slots suffice."""
        return float(np.mean([it.effects.interchange.value for it in self.paths[path]]))

    @property
    def verdict(self) -> str:
        """The smallest set that carries the fact and nothing else, or how far the best ones come."""
        if self.found:
            where = slots_in_words(self.found.slots)
            verb = "carries" if len(self.found.slots) == 1 else "carry"
            return f"{where.capitalize()} {verb} the {self.fact} alone: {_in_words(self.found)}."
        most, product = self.best("interchange"), self.best("product")
        size = len(next(iter(self.paths.values())))
        return (
            f"No set of up to {size} slots was found that carries the {self.fact} alone: the most "
            f"interchange is that of {slots_in_words(most.slots)} ({_in_words(most)}); the best with "
            f"isolation is {slots_in_words(product.slots)} ({_in_words(product)})."
        )

    def summary(self) -> str:
        """The verdict, then every set with its faithfulness, completeness and minimality."""
        lines = [
            self.verdict,
            f"Sets of slots for the {self.fact} in {self.model}, found on other stories: {self.n_pairs} "
            f"pairs of {self.n_stories} stories, 95 % intervals over stories; goal: {GOAL:.0%} of both",
            f"the whole bank: interchange {self.bank.as_share()}",
        ]
        for path, sets in self.paths.items():
            lines.append(f"grown {path}: mean interchange over sizes {self.area(path):.1%}")
            lines += [
                f"  {','.join(map(str, it.slots))}: interchange {it.effects.interchange.as_share()}, "
                f"isolation {it.effects.isolation.as_share()}, completeness {it.completeness.as_share()}, "
                f"minimality {it.minimality:+.1%}; random slots {it.of_random.value:.1%}"
                for it in sets
            ]
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per set; shares are fractions."""
        rows = []
        for path, sets in self.paths.items():
            for it in sets:
                row: dict[str, object] = {"grown": path, "n_slots": len(it.slots)}
                row["slots"] = ",".join(map(str, it.slots))
                for name in ("interchange", "isolation", "product"):
                    row |= _columns(name, getattr(it.effects, name))
                row |= _columns("completeness", it.completeness) | {"minimality": it.minimality}
                rows.append(row | _columns("random", it.of_random) | {"n_pairs": self.n_pairs})
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """Interchange, isolation and completeness by the number of slots, one panel for each way."""
        panels = {
            path: {
                "interchange": [it.effects.interchange for it in sets],
                "isolation": [it.effects.isolation for it in sets],
                "completeness": [it.completeness for it in sets],
                "random slots": [it.of_random for it in sets],
            }
            for path, sets in self.paths.items()
        }
        curves = {path: {name: _array(x) for name, x in lines.items()} for path, lines in panels.items()}
        return set_curves(
            curves, slots={path: [it.slots for it in sets] for path, sets in self.paths.items()}
        )


def _in_words(it: SlotSet) -> str:
    return f"interchange {it.effects.interchange.value:.0%}, isolation {it.effects.isolation.value:.0%}"


def _columns(name: str, it: Estimate) -> dict[str, object]:
    return {name: it.value, f"{name}_low": it.low, f"{name}_high": it.high}


def _array(estimates: Sequence[Estimate]) -> np.ndarray:
    return np.array([[e.value, e.low, e.high] for e in estimates])
