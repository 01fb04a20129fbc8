"""Points in two or three axes, told apart by colour and by symbol, and ways through them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.figures.lines import Series, interval_points, name_axis
from lm2viz.figures.text import plain

# Okabe and Ito 2008: eight colours that are apart for every kind of sight.
CATEGORY_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#F0E442",
)
SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "cross",
    "x",
    "circle-open",
    "square-open",
    "diamond-open",
)  # also 3-D
UNKNOWN_COLOUR, UNKNOWN = "#bbbbbb", "not known"
MAX_VALUES = len(CATEGORY_COLOURS) * len(SYMBOLS)
SIZE_2D, SIZE_3D = 8, 4  # pixels


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points to draw.

    points : ndarray of shape (n_points, n_axes)
    values : the category of each, None where not known
    hover : what is said of each
    """

    points: Array
    values: Sequence[str | None]
    hover: Sequence[str]


def cloud_with_shares(
    cloud: Cloud, shares: Sequence[Series], *, axes: Sequence[str], title: str
) -> go.Figure:
    """The points by category in two or three axes; beside them what each component explains, with controls.

    Raises
    ------
    UserError
        For more categories than there are pairs of colour and symbol.
    """
    is_3d = len(axes) == 3
    marks = _categories(cloud)
    figure = make_subplots(
        1,
        2,
        column_widths=[0.7, 0.3],
        specs=[[{"type": "scene" if is_3d else "xy"}, {"type": "xy"}]],
        subplot_titles=plain([title, "explained variance"]),
    )
    figure.add_traces(marks, rows=1, cols=1)
    names = [str(i + 1) for i in range(len(shares[0].value))]
    for trace in interval_points(shares, names):
        figure.add_trace(trace.update(legend="legend2"), row=1, col=2)
    if is_3d:
        scene = {f"{name}axis_title": axis for name, axis in zip("xyz", axes, strict=True)}
        figure.update_layout(
            scene=scene, scene_aspectmode="cube", scene_camera_eye={"x": 1.6, "y": 1.6, "z": 1.1}
        )
    else:
        figure.update_xaxes(title=axes[0], row=1, col=1).update_yaxes(title=axes[1], row=1, col=1)
    figure.update_xaxes(**name_axis(names, "component"), row=1, col=2)
    figure.update_yaxes(title="share of variance", range=[0, 1], tickformat=".0%", row=1, col=2)
    figure.update_annotations(font_size=13)
    return figure.update_layout(
        height=520,
        margin={"l": 70, "r": 20, "t": 40, "b": 110},
        legend={"orientation": "h", "y": -0.18},
        legend2={"x": 1, "y": 1, "xanchor": "right", "yanchor": "top"},  # within its picture: shares are low
    )


def path_over_cloud(
    cloud: Cloud, is_on_path: NDArray[np.bool_], steps: Sequence[int], *, axes: Sequence[str], title: str
) -> go.Figure:
    """A line through the chosen points of a plane in their order, numbered by ``steps``; the others grey.

    is_on_path : mask of shape (n_points,); points on the path are coloured by their category
    """
    figure = go.Figure(_marks(_part(cloud, ~is_on_path), "other points", UNKNOWN_COLOUR, "circle"))
    way = _part(cloud, is_on_path)
    figure.add_scatter(
        x=way.points[:, 0],
        y=way.points[:, 1],
        mode="lines+text",
        text=[str(step) for step in steps],
        textposition="top center",
        line={"color": "#888888", "width": 1.5},  # seen on light and on dark
        name="path",
        hoverinfo="skip",
    )
    figure.add_traces(_categories(way, known=_looks(cloud.values)))
    return figure.update_layout(
        title={"text": plain([title])[0], "font": {"size": 15}, "x": 0},
        xaxis={"title": axes[0]},
        yaxis={"title": axes[1]},
        height=480,
        margin={"l": 70, "r": 20, "t": 50, "b": 50},
    )


def _looks(values: Sequence[str | None]) -> dict[str, tuple[str, str]]:
    """Colour and symbol of each category, in the order of the alphabet."""
    names = sorted({value for value in values if value is not None})
    if len(names) > MAX_VALUES:
        raise UserError(
            f"{len(names)} values are too many to distinguish, at most {MAX_VALUES}; choose another fact"
        )
    n = len(CATEGORY_COLOURS)
    return {name: (CATEGORY_COLOURS[i % n], SYMBOLS[(i + i // n) % n]) for i, name in enumerate(names)}


def _categories(cloud: Cloud, *, known: Mapping[str, tuple[str, str]] | None = None) -> list[Any]:
    """A trace a category; points whose category is not known come first, so that they lie below."""
    looks = _looks(cloud.values) if known is None else known
    values = np.array([UNKNOWN if value is None else value for value in cloud.values])
    ordered = {UNKNOWN: (UNKNOWN_COLOUR, "circle-open"), **looks}
    return [
        _marks(_part(cloud, values == name), name, colour, symbol)
        for name, (colour, symbol) in ordered.items()
        if (values == name).any()
    ]


def _part(cloud: Cloud, mask: NDArray[np.bool_]) -> Cloud:
    chosen = np.flatnonzero(mask).tolist()
    return Cloud(cloud.points[mask], [cloud.values[i] for i in chosen], [cloud.hover[i] for i in chosen])


def _marks(cloud: Cloud, name: str, colour: str, symbol: str) -> Any:
    is_3d = cloud.points.shape[1] == 3
    kind, size = (go.Scatter3d, SIZE_3D) if is_3d else (go.Scatter, SIZE_2D)
    return kind(
        **dict(zip("xyz", cloud.points.T, strict=False)),
        mode="markers",
        name=plain([name])[0],
        marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.75},
        text=plain(cloud.hover),
        hovertemplate="%{text}<extra></extra>",
    )
