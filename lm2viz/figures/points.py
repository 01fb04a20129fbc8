"""One point a slot: two measures against each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR

NEAR = 0.05  # on either axis, of its whole range; labels of points nearer than this would overprint
AROUND = (
    "top center", "bottom center", "middle right", "middle left",
    "top right", "bottom left", "bottom right", "top left",
)  # fmt: skip


def label_places(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> list[str]:
    """Where the label of each point stands: each of several near points takes another side."""
    points, places = np.column_stack([x, y]), list[str]()
    for i, point in enumerate(points):
        n_near = int((np.abs(points[:i] - point) < NEAR).all(axis=1).sum())
        places.append(AROUND[n_near % len(AROUND)])
    return places


def named_points(
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    *,
    names: Sequence[str],
    x_title: str,
    y_title: str,
    x_control: tuple[str, float],
) -> go.Figure:
    """Points with their names beside them; both axes are fractions.

    x_control : name and value of what ``x`` is without any finding, drawn as a line
    """
    name, value = x_control
    figure = go.Figure(
        go.Scatter(
            x=x,
            y=y,
            text=list(names),
            textfont={"size": 11},
            mode="markers+text",
            textposition=label_places(x, y),
            marker={"color": MODEL_COLOUR, "size": 9},
            hovertemplate="slot %{text}: %{x:.1%}, %{y:.1%}<extra></extra>",
        )
    )
    figure.add_vline(x=value, line_color=CONTROL_COLOUR, line_dash="dash", annotation_text=name)
    return figure.update_layout(
        xaxis={"title": x_title, "tickformat": ".0%"},
        yaxis={"title": y_title, "tickformat": ".0%"},
        height=420,
        margin={"l": 70, "r": 20, "t": 30, "b": 50},
    )
