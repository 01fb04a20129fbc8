"""Shares with intervals, one panel a measure: the slots that are exchanged first, their controls below."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR


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
