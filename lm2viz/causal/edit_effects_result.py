"""The result of editing a fact in many stories: whether the edit holds, and what else changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.causal.describe import slots_in_words
from lm2viz.estimates import Estimate
from lm2viz.figures.interchange import share_points

READ, UNEDITED = "sentence read", "no edit"
MEASURES = ("success", "follow", "isolation")


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of answers that are right when the edit is true.

    fact : about the edited fact
    follows : about what must change with it: the things that a person holds
    others : about everything else, of those that are right without the edit
    """

    fact: Estimate
    follows: Estimate
    others: Estimate

    @property
    def named(self) -> dict[str, Estimate]:
        """By the names of ``MEASURES``."""
        return dict(zip(MEASURES, (self.fact, self.follows, self.others), strict=True))


@dataclass(frozen=True, slots=True)
class EditEffects:
    """What edits of a fact do, at once and after later sentences.

    effects : by edit, with ``READ`` and ``UNEDITED`` last; then by the number of later sentences
    """

    fact: str
    model: str
    slots: tuple[int, ...]
    effects: Mapping[str, Mapping[int, Shares]]
    n_stories: int

    @property
    def verdict(self) -> str:
        """The edit that does best after later sentences, beside reading the sentence, in a sentence."""
        last = max(self.effects[READ])
        edits = [name for name in self.effects if name not in (READ, UNEDITED)]
        best = max(edits, key=lambda name: self._worth(name, last))
        at_once, later = (self._in_words(best, n) for n in (0, last))
        read_at_once, read_later = (self._in_words(READ, n) for n in (0, last))
        where = slots_in_words(self.slots)
        return (
            f"Edited by {best} in {where}, the {self.fact} is what it was made in {at_once}, and after "
            f"{last} more sentences in {later}. When the sentence is read instead: {read_at_once}, then "
            f"{read_later}."
        )

    def _worth(self, name: str, n: int) -> float:
        shares = self.effects[name][n]
        return shares.fact.value * shares.others.value

    def _in_words(self, name: str, n: int) -> str:
        shares = self.effects[name][n]
        return f"{shares.fact.value:.0%} of stories ({shares.others.value:.0%} of the other answers stay)"

    def summary(self) -> str:
        """The verdict, then success, what follows and isolation of every edit."""
        lines = [
            self.verdict,
            f"Edits of the {self.fact} in {self.model}: {self.n_stories} stories, other than those that "
            "the edits were made from, 95 % intervals over stories",
        ]
        for name, by_moment in self.effects.items():
            for n, shares in by_moment.items():
                values = [f"{m} {e.as_share()}" for m, e in shares.named.items() if e.n]
                lines.append(f"{name}, {_moment(n)}: {', '.join(values)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row for each edit and number of later sentences; shares are fractions."""
        rows = []
        for name, by_moment in self.effects.items():
            for n, shares in by_moment.items():
                row: dict[str, object] = {"edit": name, "later_sentences": n}
                for measure, e in shares.named.items():
                    row |= {measure: e.value, f"{measure}_low": e.low, f"{measure}_high": e.high}
                    row[f"{measure}_n"] = e.n
                rows.append(row)
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """A point with its interval for each edit, moment and measure."""
        table = self.table()
        value, low, high = (
            table[[f"{m}{end}" for m in MEASURES]].to_numpy(dtype=float) for end in ("", "_low", "_high")
        )
        names = [f"{name}, {_moment(n)}" for name, by_moment in self.effects.items() for n in by_moment]
        return share_points(value, np.asarray(low), np.asarray(high), rows=names, measures=MEASURES)


def _moment(n: int) -> str:
    return "at once" if not n else f"after {n} sentence{'s' * (n > 1)}"
