"""Accuracy of several models by length, with intervals, with baselines that need no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from lm2viz.arrays import Array

# Okabe and Ito's colours, apart for every kind of sight; symbols and dashes for those who see none.
LOOKS = (
    ("#0072b2", "circle", "solid"),
    ("#d55e00", "diamond", "dash"),
    ("#009e73", "square", "dot"),
    ("#cc79a7", "triangle-up", "dashdot"),
    ("#e69f00", "x", "longdash"),
)
FLOOR_COLOUR = "#888888"


@dataclass(frozen=True, slots=True)
class Line:
    """One model or floor; x, value, low, high : ndarrays of shape (n_lengths,), low and high NaN without."""

    name: str
    x: Array
    value: Array
    low: Array
    high: Array


def lines_by_length(models: Sequence[Line], floors: Sequence[Line], *, x_title: str) -> go.Figure:
    """Accuracies in [0, 1] over lengths, which double from point to point: the axis is logarithmic."""
    figure = go.Figure()
    for line, (colour, symbol, dash) in zip(models, LOOKS, strict=False):
        figure.add_trace(
            go.Scatter(
                x=line.x,
                y=line.value,
                name=line.name,
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                marker={"symbol": symbol, "size": 9},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": line.high - line.value,
                    "arrayminus": line.value - line.low,
                    "thickness": 1,
                },
                hovertemplate=f"%{{x}} sentences: %{{y:.1%}}<extra>{line.name}</extra>",
            )
        )
    for line, dash in zip(floors, ("dot", "dash"), strict=False):
        figure.add_trace(
            go.Scatter(
                x=line.x,
                y=line.value,
                name=line.name,
                mode="lines",
                line={"color": FLOOR_COLOUR, "dash": dash, "width": 1.5},
                hovertemplate=f"%{{x}} sentences: %{{y:.1%}}<extra>{line.name}</extra>",
            )
        )
    ticks = sorted({int(x) for line in models for x in line.x})
    return figure.update_layout(
        xaxis={"type": "log", "title": x_title, "tickvals": ticks, "ticktext": [str(x) for x in ticks]},
        yaxis={"range": [-0.02, 1.02], "tickformat": ".0%", "title": "accuracy"},
        legend={"orientation": "h", "y": -0.25},
        height=440,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
    )
