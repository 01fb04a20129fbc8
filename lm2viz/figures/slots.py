"""Slots ranked by a score with the controls on the same line; one slot over training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lm2viz.estimates import Estimate
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR
from lm2viz.figures.text import plain

ROW_HEIGHT, GAP, MARGIN_HEIGHT = 26, 90, 130  # pixels
CONTROL_MARKS = ("circle", "diamond", "x")  # controls share a colour, so each has its shape
Panel = tuple[Sequence[str], Mapping[str, Sequence[Estimate]]]  # names; the finding first, then its controls


def ranked_bars(panels: Mapping[str, Panel], *, title: str, missing: str = "") -> go.Figure:
    """A bar for each name and its controls as marks on its line, all with intervals; panels below each other.

    panels : by their titles; figures are at most 1, and every panel has the same controls
    title : of the axis, with its unit
    missing : written where the finding is NaN
    """
    n_rows = [max(len(names), 1) for names, _ in panels.values()]
    gaps = GAP * (len(panels) - 1)
    height = MARGIN_HEIGHT + ROW_HEIGHT * sum(n_rows) + gaps
    figure = make_subplots(
        len(panels),
        1,
        subplot_titles=plain(panels),
        row_heights=n_rows,
        vertical_spacing=min(gaps, GAP) / (height - MARGIN_HEIGHT),
    )
    for row, (names, series) in enumerate(panels.values(), start=1):
        for i, (label, estimates) in enumerate(series.items()):
            trace = _marks(estimates, label, CONTROL_MARKS[i - 1]) if i else _bars(estimates, label)
            figure.add_trace(trace.update(showlegend=row == 1, legendgroup=label), row=row, col=1)
        finding = next(iter(series.values()))
        for y in np.flatnonzero(np.isnan([e.value for e in finding])).tolist():
            figure.add_annotation(x=0, y=y, text=missing, showarrow=False, xanchor="left", row=row, col=1)
        lows = [e.low for estimates in series.values() for e in estimates if e.n]
        figure.update_xaxes(range=[min(0.0, 1.05 * min(lows, default=0.0)), 1.0], title=title, row=row, col=1)
        figure.update_yaxes(
            tickvals=list(range(len(names))),
            ticktext=plain(names),
            range=[len(names) - 0.5, -0.5],
            automargin=True,
            row=row,
            col=1,
        )
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 20, "t": 70, "b": 50},
        legend={"orientation": "h", "yref": "container", "y": 1, "yanchor": "top"},
    )


def emergence_lines(
    steps: Sequence[int],
    score: Sequence[Estimate],
    control: Sequence[Estimate],
    *,
    emergence: int | None,
    titles: tuple[str, str],
) -> go.Figure:
    """A score over training and its control, with intervals; a line at the step ``became``, if there is one.

    titles : of the axis of steps and of the axis of scores, which are at most 1
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=list(steps),
                y=[e.value for e in estimates],
                error_y=_interval(estimates),
                name=name,
                mode="lines+markers",
                marker_color=colour,
            )
            for name, estimates, colour in (
                ("held-out stories", score, MODEL_COLOUR),
                ("control: stories exchanged", control, CONTROL_COLOUR),
            )
        ]
    )
    if emergence is not None:
        figure.add_vline(x=emergence, line_dash="dot", annotation_text=f"from step {emergence}")
    lows = [e.low for e in (*score, *control) if e.n]
    return figure.update_layout(
        xaxis_title=titles[0],
        yaxis={"title": titles[1], "range": [min(0.0, 1.05 * min(lows, default=0.0)), 1.02]},
        legend={"orientation": "h", "y": 1.12},
        height=420,
        margin={"l": 10, "r": 10, "t": 40, "b": 50},
    )


def _bars(estimates: Sequence[Estimate], label: str) -> go.Bar:
    return go.Bar(
        y=list(range(len(estimates))),
        x=[e.value for e in estimates],
        error_x=_interval(estimates),
        name=label,
        orientation="h",
        marker_color=MODEL_COLOUR,
        customdata=[str(e) for e in estimates],
        hovertemplate=f"%{{customdata}} ({label})<extra></extra>",
    )


def _marks(estimates: Sequence[Estimate], label: str, shape: str) -> go.Scatter:
    return go.Scatter(
        y=list(range(len(estimates))),
        x=[e.value for e in estimates],
        error_x=_interval(estimates),
        name=label,
        mode="markers",
        marker={
            "color": CONTROL_COLOUR,
            "symbol": shape,
            "size": 9,
            "line": {"color": "#333333", "width": 1},
        },
        customdata=[str(e) for e in estimates],
        hovertemplate=f"%{{customdata}} ({label})<extra></extra>",
    )


def _interval(estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [e.high - e.value for e in estimates],
        "arrayminus": [e.value - e.low for e in estimates],
        "thickness": 1,
        "color": "#333333",
    }
