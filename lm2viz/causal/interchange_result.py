"""The result of an interchange: cause, isolation and their product, for the slots and for every control."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.causal.describe import slots_in_words
from lm2viz.causal.interchange_scores import Effects
from lm2viz.estimates import columns
from lm2viz.figures.interchange import share_points

CHOSEN, RANDOM, OTHER_FACTS = "these slots", "random slots", "slots of other facts"
SAME, UNTRAINED = "same answer in the donor", "untrained model"
MEASURES = ("interchange", "isolation", "product", "follow")


@dataclass(frozen=True, slots=True)
class Interchange:
    """Cause and isolation of slots for one fact, beside controls.

    slots : those exchanged; ``is_chosen``: the best one on other stories than those scored
    effects : by condition; a control that is not possible has NaN and n = 0
    n_pairs, n_agree, n_wrong : pairs that were scored; that agree, which only serve the control of that name;
        and that the model answers wrongly on a side as they are
    n_stories : different base stories among those scored
    """

    fact: str
    model: str
    slots: tuple[int, ...]
    is_chosen: bool
    effects: dict[str, Effects]
    n_pairs: int
    n_agree: int
    n_wrong: int
    n_stories: int

    def of(self, condition: str = CHOSEN) -> Effects:
        """The effects in one condition."""
        return self.effects[condition]

    @property
    def is_carried(self) -> bool:
        """Whether the interval of the slots lies above those of random slots and of the untrained model."""
        highs = [self.of(name).interchange.high for name in (RANDOM, UNTRAINED)]
        return self.of().interchange.low > np.nanmax([*highs, 0.0])

    @property
    def verdict(self) -> str:
        """Whether the slots carry the fact, beside random slots, in a sentence."""
        own, control = self.of(), self.of(RANDOM).interchange
        where = slots_in_words(self.slots)
        verb = "carries" if len(self.slots) == 1 else "carry"
        claim = f"{where.capitalize()} {verb} the {self.fact}"
        if not self.is_carried:
            claim = f"Not shown that {where} {verb} the {self.fact}"
        of_random = f"; random slots, {control.value:.0%}" if control.n else ""
        return (
            f"{claim}: exchanged between stories, {own.interchange.value:.0%} of its answers become what "
            f"they must ({own.interchange.low:.0%} to {own.interchange.high:.0%}{of_random}), and "
            f"{own.isolation.value:.0%} of the other answers stay."
        )

    def summary(self) -> str:
        """The verdict, then interchange, isolation and product in each condition."""
        chosen = ", the best one on other stories" if self.is_chosen else ""
        lines = [
            self.verdict,
            f"Interchange of {slots_in_words(self.slots)}{chosen}, in {self.model}: {self.n_pairs} pairs of "
            f"{self.n_stories} stories, 95 % intervals over stories",
            f"not scored: {self.n_agree} pairs whose answers agree, {self.n_wrong} that the model answers "
            "wrongly as they are",
        ]
        for name, effects in self.effects.items():
            values = [f"{m} {e.as_share()}" for m in MEASURES if (e := getattr(effects, m)).n]
            lines.append(f"{name}: {', '.join(values) or 'not possible here'}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per condition."""
        of = {m: [getattr(effects, m) for effects in self.effects.values()] for m in MEASURES}
        table: dict[str, object] = {"condition": list(self.effects)}
        for measure, estimates in of.items():
            table |= columns(measure, estimates)
        return pd.DataFrame(table | {"n_pairs": [e.n for e in of["interchange"]]})

    def figure(self) -> go.Figure:
        """A point with its interval for each condition and measure."""
        value, low, high = (
            np.array([[getattr(getattr(e, m), end) for m in MEASURES] for e in self.effects.values()])
            for end in ("value", "low", "high")
        )
        return share_points(value, low, high, rows=list(self.effects), measures=MEASURES)
