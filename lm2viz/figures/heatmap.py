"""Heatmaps: fractions on a fixed [0, 1] scale, signed values symmetric about 0, both colour-blind safe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.figures.text import plain

FRACTION_COLOURS = "Cividis"  # dark blue to yellow, even in lightness and safe for colour blindness
SIGNED_COLOURS = "RdBu"
ROW_HEIGHT, MARGIN_HEIGHT = 24, 96  # pixels
# Pixels; "block 0 head 0" and the colour bar fit. Making room for what does not would draw a figure twice.
MARGINS = {"l": 110, "r": 80, "t": 40, "b": 50, "autoexpand": False}
TITLE_LINES = 1.6  # of cells, left above each of several heatmaps
# Measuring labels would draw a figure several times over.
QUIET_AXIS = {"showgrid": False, "zeroline": False, "automargin": False}
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
    panels: Mapping[str, NDArray[np.floating]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    signed: Mapping[str, NDArray[np.floating]] = MappingProxyType({}),
) -> go.Figure:
    """Several fractions of the same rows and columns, one below the other on one scale, under their titles.

    All on one pair of axes, which is built and drawn sooner than a pair for each.

    signed : values from -1 to 1, drawn below the fractions, on a scale that ends at the largest of them
    """
    names, shown = plain(rows), {**panels, **signed}
    n_lines = TITLE_LINES + len(rows)
    tops = {title: i * n_lines for i, title in enumerate(shown)}  # a click counts rows from the first
    for title, values in panels.items():
        _check_fractions(values, title)
    limit = max((float(np.abs(values).max(initial=0)) for values in signed.values()), default=0) or 1.0
    share = len(panels) / len(shown)  # of the height
    return go.Figure(
        [
            go.Heatmap(
                z=shown[title],
                y0=top,
                name=title,
                coloraxis="coloraxis" if title in panels else "coloraxis2",
                xgap=1,
                ygap=1,
                text=[[f"{row}, slot {column}" for column in columns] for row in names],
                hovertemplate="%{text}: %{z:.3f}<extra></extra>",
            )
            for title, top in tops.items()
        ],
        {
            "annotations": [_heading(title, top - 1) for title, top in tops.items()],
            "coloraxis": _colour_scale(FRACTION_COLOURS, 0, 1, top=1, share=share),
            "coloraxis2": _colour_scale(SIGNED_COLOURS, -limit, limit, top=1 - share, share=1 - share)
            if signed
            else {},
            "height": MARGIN_HEIGHT + ROW_HEIGHT * n_lines * len(shown),
            "margin": MARGINS | {"t": 10},
            "xaxis": _column_axis(columns, "slot"),
            "yaxis": {
                **QUIET_AXIS,
                "tickvals": [top + row for top in tops.values() for row in range(len(rows))],
                "ticktext": names * len(shown),
                "range": [n_lines * len(shown) - TITLE_LINES - 0.5, -TITLE_LINES - 0.5],
            },
        },
    )


def _colour_scale(colours: str, low: float, high: float, *, top: float, share: float) -> dict[str, Any]:
    """A scale whose bar begins at ``top`` and takes a ``share`` of the height, both in [0, 1]."""
    bar = {"thickness": 10, "y": top, "yanchor": "top", "len": share}
    return {"cmin": low, "cmax": high, "colorscale": colours, "colorbar": bar}


def _heading(text: str, line: float) -> dict[str, Any]:
    """A title above a line of cells, from the left edge: on a narrow screen it ends before the colour bar."""
    place = {"x": 0, "xref": "paper", "xanchor": "left", "xshift": 5 - MARGINS["l"], "y": line}
    return {"text": text, "font": {"size": 13}, "showarrow": False, **place}


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
    rows, columns = plain(labels.rows), plain(labels.columns)
    cells = go.Heatmap(
        z=values,
        zmin=low,
        zmax=high,
        colorscale=colours,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": labels.unit, "side": "right"}, "thickness": 10},
        text=[[f"{row}, {labels.column_title} {column}" for column in columns] for row in rows],
        hovertemplate=f"%{{text}}: %{{z:.3f}} {labels.unit}<extra></extra>",
    )
    layout = {
        "title": {"text": plain([labels.title])[0], "font": {"size": 15}, "x": 0},
        "height": MARGIN_HEIGHT + ROW_HEIGHT * n_rows,
        "margin": MARGINS,
        "xaxis": _column_axis(columns, labels.column_title),
        "yaxis": {
            "tickvals": list(range(n_rows)),
            "ticktext": rows,
            "range": [n_rows - 0.5, -0.5],
            **QUIET_AXIS,
        },
    }
    return go.Figure(cells, layout)


def _column_axis(columns: Sequence[str], title: str) -> dict[str, Any]:
    """An axis with as many of the column names as fit beside each other upright."""
    step = ceil(len(columns) / MAX_COLUMN_NAMES)
    return {
        "tickvals": list(range(0, len(columns), step)),
        "ticktext": list(columns[::step]),
        "tickangle": 0,
        "range": [-0.5, len(columns) - 0.5],
        "title": {"text": title, "standoff": 8},
        **QUIET_AXIS,
    }


def _check_fractions(values: NDArray[np.floating], title: str) -> None:
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise UserError(f"{title}: fractions must be in [0, 1], got {values.min():.3g} to {values.max():.3g}")


def clickable(figure: go.Figure) -> go.Figure:
    """Lay one invisible marker over each cell: a heatmap alone never reports a click to Streamlit.

    ``hoverinfo="none"`` and not "skip", which would swallow the click.
    """
    n_rows, n_columns = np.shape(figure.data[0].z)
    if n_rows * n_columns > MAX_CELL_MARKERS:
        raise UserError(
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
