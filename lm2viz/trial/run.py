"""Methods on trial: which slots each names in models whose slots are known, scored against the truth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.estimates import NONE, Estimate, share
from lm2viz.figures.interchange import share_points
from lm2viz.progress import track
from lm2viz.trial.constructed import PEOPLE
from lm2viz.trial.family import Case, family
from lm2viz.trial.methods import METHODS, Method

MEASURES = ("precision", "recall")


@dataclass(frozen=True, slots=True)
class Named:
    """What one method said of one fact in one model.

    slots : those named; ``truth``: those that matter
    """

    method: str
    model: str
    fact: str
    slots: frozenset[int]
    truth: frozenset[int]


@dataclass(frozen=True, slots=True)
class Trial:
    """All that was said.

    meanings : what is special about each model
    """

    said: tuple[Named, ...]
    meanings: Mapping[str, str]

    @property
    def methods(self) -> list[str]:
        """The methods, in the order in which they were tried."""
        return list(dict.fromkeys(it.method for it in self.said))

    def precision(self, method: str, model: str | None = None) -> Estimate:
        """The share of the named slots that matter, in one model or in all; no value if none was named."""
        return _share([slot in it.truth for it in self._of(method, model) for slot in it.slots])

    def recall(self, method: str, model: str | None = None) -> Estimate:
        """The share of the slots that matter that are named."""
        return _share([slot in it.slots for it in self._of(method, model) for slot in it.truth])

    def _of(self, method: str, model: str | None) -> list[Named]:
        return [it for it in self.said if it.method == method and model in (None, it.model)]

    @property
    def verdict(self) -> str:
        """The methods that are always right, in a sentence."""
        right = [m for m in self.methods if self.precision(m).value == self.recall(m).value == 1]
        facts = len({(it.model, it.fact) for it in self.said})
        names = ", ".join(right) if right else "No method"
        return (
            f"{names}: exactly the slots that matter, for each of {facts} facts in {len(self.meanings)} "
            "models whose slots are known."
        )

    def summary(self) -> str:
        """The verdict, precision and recall of each method, and where it is wrong."""
        lines = [self.verdict, "95 % intervals over slots (Wilson)"]
        for method in self.methods:
            wrong = [
                f"{model} ({_percent(self.precision(method, model))}, {_percent(self.recall(method, model))})"
                for model in self.meanings
                if not self.precision(method, model).value == self.recall(method, model).value == 1
            ]
            values = [f"{m} {_in_words(getattr(self, m)(method))}" for m in MEASURES]
            where = f"; below 100 % (precision, recall) in {', '.join(wrong)}" if wrong else ""
            lines.append(f"{method}: {', '.join(values)}{where}")
        lines += [f"{name}: {meaning}" for name, meaning in self.meanings.items()]
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row for each method and model, and one for each method in all models together."""
        rows = []
        for method in self.methods:
            for model in (*self.meanings, None):
                row: dict[str, object] = {"method": method, "model": model or "all"}
                for measure in MEASURES:
                    it = getattr(self, measure)(method, model)
                    row |= {measure: it.value, f"{measure}_low": it.low, f"{measure}_high": it.high}
                row["named"] = "; ".join(
                    f"{it.fact}: {','.join(map(str, sorted(it.slots))) or '-'}"
                    for it in self._of(method, model)
                    if model
                )
                rows.append(row)
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """Precision and recall of each method over all models."""
        of = [[getattr(self, measure)(method) for measure in MEASURES] for method in self.methods]
        value, low, high = (
            np.array([[getattr(it, end) for it in row] for row in of]) for end in ("value", "low", "high")
        )
        return share_points(value, low, high, rows=self.methods, measures=MEASURES)


def trial(methods: Mapping[str, Method] | None = None, *, seed: int = 0) -> Trial:
    """Try methods on models whose slots are known by construction.

    Parameters
    ----------
    methods : by name, functions from a ``Case`` to the slots that they say matter; None: all of ``METHODS``.
        A method of your own joins with ``trial({**METHODS, "mine": mine})``
    seed : of the stories

    Raises
    ------
    UserError
        For no method, and for one that names a slot that the model does not have.
    """
    chosen = METHODS if methods is None else methods
    if not chosen:
        raise UserError("no method to try; give at least one, such as METHODS of lm2viz.trial")
    members, said = family(), []
    cases = [(member, person) for member in members for person in PEOPLE]
    for member, person in track(cases, "trying methods", "fact"):
        case = Case(member, person, seed)
        for name, method in track(chosen.items(), "trying methods", "method"):
            slots = frozenset(map(int, method(case)))
            if wrong := [slot for slot in sorted(slots) if not 0 <= slot < case.n_slots]:
                have = f"which has 0..{case.n_slots - 1}"
                raise UserError(f"{name} names slot {wrong[0]} of the model {member.name}, {have}")
            said.append(Named(name, member.name, case.fact, slots, member.truth[person]))
    return Trial(tuple(said), {member.name: member.meaning for member in members})


def _share(hits: list[bool]) -> Estimate:
    return share(hits) if hits else NONE


def _percent(it: Estimate) -> str:
    return "none" if not it.n else f"{it.value:.0%}"


def _in_words(it: Estimate) -> str:
    return it.as_share() if it.n else "none named"
