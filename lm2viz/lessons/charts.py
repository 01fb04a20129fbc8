"""The numbers of a lesson's picture: the app draws them with plotly, the offline page as bars in a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.figures.bars import paired_bars
from lm2viz.figures.points import named_points


@dataclass(frozen=True, slots=True)
class Bars:
    """Fractions by name; the control is the last group.

    groups : of each, one fraction a name; NaN where there is none
    """

    names: Sequence[str]
    groups: Mapping[str, Sequence[float]]
    y_title: str
    x_title: str = ""

    @property
    def title(self) -> str:
        """What the numbers are."""
        return self.y_title

    def figure(self) -> go.Figure:
        """Upright bars, group beside group."""
        return paired_bars(self.names, self.groups, x_title=self.x_title, y_title=self.y_title)


@dataclass(frozen=True, slots=True)
class Points:
    """Two fractions a slot, one against the other.

    x_control : name and value of what ``x`` is without any finding
    """

    names: Sequence[str]
    x: Array
    y: Array
    x_title: str
    y_title: str
    x_control: tuple[str, float]

    @property
    def title(self) -> str:
        """What a point stands for."""
        return "slot by slot"

    @property
    def groups(self) -> dict[str, Array]:
        """Both measures by their titles, and last the control of the first."""
        name, value = self.x_control
        return {self.x_title: self.x, self.y_title: self.y, name: np.full(len(self.x), value)}

    def figure(self) -> go.Figure:
        """A point a slot."""
        return named_points(
            self.x,
            self.y,
            names=self.names,
            x_title=self.x_title,
            y_title=self.y_title,
            x_control=self.x_control,
        )


Chart = Bars | Points
