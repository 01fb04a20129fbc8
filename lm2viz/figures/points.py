"""One point a slot: two measures against each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR

LETTER = 0.025, 0.045  # width and height of a letter, as shares of a chart on a phone
OFFSET = 0.012, 0.03  # between a point and its label
# Where a label may stand, beside the point and above it (in -1, 0, 1), in order of preference.
AROUND = {
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, 1),
    "bottom left": (-1, -1),
    "bottom right": (1, -1),
    "top left": (-1, 1),
}
Box = tuple[float, float, float, float]  # left, bottom, right, top


def label_places(
    x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], names: Sequence[str]
) -> list[str | None]:
    """Where the label of each point stands without covering another; None where there is no room.

    The highest points, and then those furthest right, choose first.
    """
    points = np.column_stack([_as_share(x), _as_share(y)])
    taken: list[Box] = [_box(point, 0.0, (0, 0)) for point in points]
    places: list[str | None] = [None] * len(points)
    for i in np.lexsort((points[:, 0], points[:, 1]))[::-1]:
        for name, side in AROUND.items():
            box = _box(points[i], len(names[i]) * LETTER[0], side)
            if not any(_overlap(box, other) for k, other in enumerate(taken) if k != i):
                taken.append(box)
                places[i] = name
                break
    return places


def _as_share(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Values between 0 and 1, the least and the largest."""
    return (values - values.min()) / (np.ptp(values) or 1.0)


def _box(point: NDArray[np.floating[Any]], width: float, side: tuple[int, int]) -> Box:
    """The box of a label at one side of a point; of the point itself without a width."""
    height = LETTER[1] if width else OFFSET[1]
    width = width or OFFSET[0]
    x = point[0] + side[0] * (OFFSET[0] + width / 2)
    y = point[1] + side[1] * (OFFSET[1] + height / 2)
    return float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def named_points(
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    *,
    names: Sequence[str],
    x_title: str,
    y_title: str,
    x_control: tuple[str, float],
) -> go.Figure:
    """Points with their names beside them where there is room; both axes are fractions.

    x_control : name and value of what ``x`` is without any finding, drawn as a line
    """
    name, value = x_control
    places = label_places(x, y, names)
    figure = go.Figure(
        go.Scatter(
            x=x,
            y=y,
            text=[name if place else "" for name, place in zip(names, places, strict=True)],
            textfont={"size": 11},
            mode="markers+text",
            textposition=[place or "top center" for place in places],
            customdata=list(names),
            marker={"color": MODEL_COLOUR, "size": 9},
            hovertemplate="slot %{customdata}: %{x:.1%}, %{y:.1%}<extra></extra>",
        )
    )
    figure.add_vline(x=value, line_color=CONTROL_COLOUR, line_dash="dash", annotation_text=name)
    return figure.update_layout(
        xaxis={"title": x_title, "tickformat": ".0%"},
        yaxis={"title": y_title, "tickformat": ".0%"},
        height=420,
        margin={"l": 70, "r": 20, "t": 30, "b": 50},
    )
