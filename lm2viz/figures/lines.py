"""Estimates with intervals along an axis: as points, or as lines with a band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR

# The finding, its first and its second control: apart in lightness, symbol and dash, not by colour alone.
LOOKS = ((MODEL_COLOUR, "circle", "solid"), (CONTROL_COLOUR, "diamond", "dash"), ("#777777", "square", "dot"))
BAND_OPACITY = 0.2
APART = 0.2  # of the distance between two names


@dataclass(frozen=True, slots=True)
class Series:
    """One name in the legend; value, low, high : ndarrays of shape (n_places,)."""

    name: str
    value: Array
    low: Array
    high: Array


def interval_points(series: Sequence[Series], names: Sequence[str]) -> list[go.Scatter]:
    """Points with error bars at 0, 1, ... for ``names``; those of one name stand side by side."""
    offsets = APART * (np.arange(len(series)) - (len(series) - 1) / 2)
    return [
        go.Scatter(
            x=np.arange(len(names)) + offset,
            y=s.value,
            name=s.name,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": s.high - s.value,
                "arrayminus": s.value - s.low,
            },
            text=[
                f"{name}: {value:.3g} ({low:.3g} to {high:.3g})"
                for name, value, low, high in zip(names, s.value, s.low, s.high, strict=True)
            ],
            hovertemplate=f"%{{text}}<extra>{s.name}</extra>",
        )
        for s, offset, (colour, symbol, _) in zip(series, offsets, LOOKS, strict=False)
    ]


def name_axis(names: Sequence[str], title: str) -> dict[str, Any]:
    """The horizontal axis of ``interval_points``."""
    places = list(range(len(names)))
    return {"title": title, "tickvals": places, "ticktext": list(names), "range": [-0.5, len(names) - 0.5]}


def lines_with_bands(
    series: Sequence[Series], x: Sequence[float], *, x_title: str, y_title: str, y_range: tuple[float, float]
) -> go.Figure:
    """A line a series with its interval as a band; the finding first, its controls dashed."""
    figure = go.Figure()
    for s, (colour, _, dash) in zip(series, LOOKS, strict=False):
        figure.add_trace(
            go.Scatter(
                x=[*x, *x[::-1]],
                y=[*s.high, *s.low[::-1]],
                fill="toself",
                fillcolor=colour,
                opacity=BAND_OPACITY,
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=list(x),
                y=s.value,
                name=s.name,
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                hovertemplate=f"{x_title} %{{x}}: %{{y:.2f}}<extra>{s.name}</extra>",
            )
        )
    return figure.update_layout(
        xaxis={"title": x_title},
        yaxis={"title": y_title, "range": list(y_range)},
        legend={"orientation": "h", "y": 1.12},
        height=380,
        margin={"l": 70, "r": 20, "t": 40, "b": 50},
    )


def points_by_name(
    series: Sequence[Series],
    names: Sequence[str],
    *,
    x_title: str,
    y_title: str,
    y_range: tuple[float, float],
    is_log: bool = False,
) -> go.Figure:
    """Points with intervals over categories. An infinite value stands at the top of the axis as text.

    y_range : in the unit of the values, with ``is_log`` above 0
    """
    limits = np.log10(y_range) if is_log else y_range
    shown = [Series(s.name, *(_at_most(a, y_range[1]) for a in (s.value, s.low, s.high))) for s in series]
    figure = go.Figure(interval_points(shown, names))
    for s, trace in zip(series, figure.data, strict=True):
        for i in np.flatnonzero(np.isinf(s.value)).tolist():
            figure.add_annotation(
                x=trace.x[i],
                y=limits[1],
                yshift=4,
                yanchor="bottom",
                text="inf",
                font={"color": trace.marker.color},
                textangle=-90,
                showarrow=False,
            )
    return figure.update_layout(
        xaxis=name_axis(names, x_title),
        yaxis={"title": y_title, "range": list(limits), **({"type": "log", "dtick": "D2"} if is_log else {})},
        legend={"orientation": "h", "y": -0.2},
        height=430,
        margin={"l": 70, "r": 20, "t": 50, "b": 50},
    )


def _at_most(values: Array, top: float) -> Array:
    return np.where(np.isinf(values), top, values)
