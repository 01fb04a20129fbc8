"""Heatmaps: fractions on a fixed [0, 1] scale, signed values symmetric about 0, both colour-blind safe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.text import plain

FRACTION_COLOURS = "Cividis"  # dark blue to yellow, even in lightness and safe for colour blindness
SIGNED_COLOURS = "RdBu"
ROW_HEIGHT, MARGIN_HEIGHT = 24, 96  # pixels
MARGINS = {"l": 110, "r": 70, "t": 40, "b": 50}  # pixels; "block 0 head 0" and the colour bar fit
MAX_COLUMN_NAMES = 16
MAX_CELL_MARKERS = 4_000  # click targets; more would slow the page


@dataclass(frozen=True, slots=True)
class _Labels:
    """Everything that is written beside the cells."""

    rows: Sequence[str]
    columns: Sequence[str]
    title: str
    unit: str
    column_title: str


def fraction_heatmap(
    values: NDArray[np.floating],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    unit: str,
    column_title: str = "slot",
) -> go.Figure:
    """Fractions in [0, 1], shape (n_rows, n_columns); bright is high. ``unit`` stands at the colour bar."""
    _check_fractions(values, title)
    labels = _Labels(rows, columns, title, unit, column_title)
    return _heatmap(values, labels, FRACTION_COLOURS, 0.0, 1.0)


def stacked_fractions(
    panels: Mapping[str, NDArray[np.floating]], *, rows: Sequence[str], columns: Sequence[str]
) -> go.Figure:
    """Several fractions of the same rows and columns, one below the other on one scale, under their titles.

    One figure and not several: the page redraws faster.
    """
    names = plain(rows)
    figure = make_subplots(
        len(panels), 1, shared_xaxes=True, subplot_titles=list(panels), vertical_spacing=0.1
    )
    for i, (title, values) in enumerate(panels.items(), start=1):
        _check_fractions(values, title)
        figure.add_trace(
            go.Heatmap(
                z=values,
                name=title,
                coloraxis="coloraxis",
                xgap=1,
                ygap=1,
                text=[[f"{row}, slot {column}" for column in columns] for row in names],
                hovertemplate="%{text}: %{z:.3f}<extra></extra>",
            ),
            row=i,
            col=1,
        )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=names,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        automargin=False,
    )
    figure.update_xaxes(**_column_axis(columns))
    figure.update_xaxes(title="slot", row=len(panels), col=1)
    figure.update_annotations(x=0, xanchor="left", font_size=15)
    return figure.update_layout(
        coloraxis={"cmin": 0, "cmax": 1, "colorscale": FRACTION_COLOURS, "colorbar": {"thickness": 10}},
        height=MARGIN_HEIGHT + (ROW_HEIGHT * len(rows) + 44) * len(panels),
        margin=MARGINS,
    )


def signed_heatmap(
    values: NDArray[np.floating],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    unit: str,
    limit: float,
    column_title: str = "dimension",
) -> go.Figure:
    """Signed values on a scale from ``-limit`` to ``limit``; white is 0, blue positive, red negative."""
    labels = _Labels(rows, columns, title, unit, column_title)
    return _heatmap(values, labels, SIGNED_COLOURS, -limit, limit)


def _heatmap(
    values: NDArray[np.floating], labels: _Labels, colours: str, low: float, high: float
) -> go.Figure:
    n_rows, n_columns = len(labels.rows), len(labels.columns)
    if values.shape != (n_rows, n_columns):
        names = f"{n_rows} row and {n_columns} column names"
        raise ValueError(f"{labels.title}: {names} for shape {values.shape}")
    rows = plain(labels.rows)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            zmin=low,
            zmax=high,
            colorscale=colours,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": labels.unit, "side": "right"}, "thickness": 10},
            text=[[f"{row}, {labels.column_title} {column}" for column in labels.columns] for row in rows],
            hovertemplate=f"%{{text}}: %{{z:.3f}} {labels.unit}<extra></extra>",
        )
    )
    return figure.update_layout(
        title={"text": labels.title, "font": {"size": 15}, "x": 0},
        height=MARGIN_HEIGHT + ROW_HEIGHT * n_rows,
        margin=MARGINS,
        xaxis={"title": labels.column_title, **_column_axis(labels.columns)},
        yaxis={
            "tickvals": list(range(n_rows)),
            "ticktext": rows,
            "range": [n_rows - 0.5, -0.5],
            "showgrid": False,
            "automargin": False,  # measuring labels would draw the figure several times over
        },
    )


def _column_axis(columns: Sequence[str]) -> dict[str, Any]:
    """An axis with as many of the column names as fit beside each other upright."""
    step = ceil(len(columns) / MAX_COLUMN_NAMES)
    return {
        "tickvals": list(range(0, len(columns), step)),
        "ticktext": list(columns[::step]),
        "tickangle": 0,
        "range": [-0.5, len(columns) - 0.5],
        "showgrid": False,
        "automargin": False,
    }


def _check_fractions(values: NDArray[np.floating], title: str) -> None:
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise ValueError(
            f"{title}: fractions must be in [0, 1], got {values.min():.3g} to {values.max():.3g}"
        )


def clickable(figure: go.Figure) -> go.Figure:
    """Lay one invisible marker over each cell: a heatmap alone never reports a click to Streamlit.

    ``hoverinfo="none"`` and not "skip", which would swallow the click.
    """
    n_rows, n_columns = np.shape(figure.data[0].z)
    if n_rows * n_columns > MAX_CELL_MARKERS:
        raise ValueError(
            f"{n_rows} x {n_columns} cells are more than {MAX_CELL_MARKERS} click targets; show fewer"
        )
    y, x = np.divmod(np.arange(n_rows * n_columns), n_columns)
    seen = {"marker": {"opacity": 0.001}}
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="markers",
            hoverinfo="none",
            showlegend=False,
            selected=seen,
            unselected=seen,
            marker={"symbol": "square", "size": ROW_HEIGHT, "opacity": 0.001},
        )
    )
    return figure.update_layout(clickmode="event+select", dragmode=False)
