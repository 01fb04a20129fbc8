"""Interchange: shares beside their controls, and curves over growing sets of slots."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR

LINES = (("#0072b2", "solid"), ("#d55e00", "solid"), ("#009e73", "dash"), ("#888888", "dot"))


def share_points(
    value: NDArray[np.floating],
    low: NDArray[np.floating],
    high: NDArray[np.floating],
    *,
    rows: Sequence[str],
    measures: Sequence[str],
) -> go.Figure:
    """Points of shape (n_rows, n_measures) in [0, 1]; NaN where there is none, which is said."""
    colours = [MODEL_COLOUR] + [CONTROL_COLOUR] * (len(rows) - 1)
    figure = make_subplots(1, len(measures), shared_yaxes=True, subplot_titles=list(measures))
    for i, measure in enumerate(measures):
        where = {"row": 1, "col": i + 1}
        bars = {"array": high[:, i] - value[:, i], "arrayminus": value[:, i] - low[:, i]}
        points = go.Scatter(
            x=value[:, i],
            y=list(rows),
            mode="markers",
            marker={"color": colours, "size": 10},
            error_x={"type": "data", "symmetric": False, **bars},
            showlegend=False,
            hovertemplate=f"%{{y}}: %{{x:.1%}} ({measure})<extra></extra>",
        )
        figure.add_trace(points, **where)
        for j in np.flatnonzero(np.isnan(value[:, i])).tolist():
            figure.add_annotation(x=0.5, y=rows[j], text="none", showarrow=False, **where)
        figure.update_xaxes(range=[-0.03, 1.03], tickformat=".0%", **where)
    figure.update_yaxes(
        autorange=False,
        range=[len(rows) - 0.5, -0.5],
        type="category",
        categoryorder="array",
        categoryarray=list(rows),
        automargin=True,
    )
    return figure.update_layout(height=150 + 44 * len(rows), margin={"l": 10, "r": 10, "t": 40, "b": 50})


def set_curves(
    panels: Mapping[str, Mapping[str, NDArray[np.floating]]], *, slots: Mapping[str, Sequence[Sequence[int]]]
) -> go.Figure:
    """One panel a way of growing sets; lines of shape (n_sizes, 3), value, low and high in [0, 1], by size.

    slots : for each panel, the sets, named where the pointer is
    """
    figure = make_subplots(1, len(panels), shared_yaxes=True, subplot_titles=list(panels))
    for i, (panel, lines) in enumerate(panels.items(), start=1):
        names = [f"slots {', '.join(map(str, each))}" for each in slots[panel]]
        for (name, values), (colour, dash) in zip(lines.items(), LINES, strict=True):
            value, low, high = values.T
            line = go.Scatter(
                x=np.arange(1, len(values) + 1),
                y=value,
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": high - value,
                    "arrayminus": value - low,
                },
                mode="lines+markers",
                name=name,
                legendgroup=name,
                showlegend=i == 1,
                line={"color": colour, "dash": dash},
                text=names,
                hovertemplate=f"{name}: %{{y:.1%}}<br>%{{text}}<extra></extra>",
            )
            figure.add_trace(line, row=1, col=i)
        figure.update_xaxes(title="slots in the set", dtick=1, row=1, col=i)
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%")
    return figure.update_layout(
        height=380, margin={"l": 10, "r": 10, "t": 40, "b": 90}, legend={"orientation": "h", "y": -0.25}
    )
