"""Causal maps: effects of patches as heatmaps, pairs and placebos side by side on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.heatmap import MARGIN_HEIGHT, MAX_COLUMN_NAMES, ROW_HEIGHT, SIGNED_COLOURS

UNIT = "effect (0: none, 1: the whole edit)"
MARK_COLOUR = "#222222"
EMPTY_COLOUR = "#d9d9d9"  # cells that no pair has; 0 is white
TITLE_HEIGHT = 96  # pixels, of a panel's title and its axis


@dataclass(frozen=True, slots=True)
class MapPanel:
    """One heatmap.

    values : ndarray of shape (n_rows, n_columns); NaN is left empty
    column_title : what columns are; they are named by their number, or by ``columns``
    marked_row : gets a frame
    """

    title: str
    values: NDArray[np.floating]
    rows: Sequence[str]
    column_title: str
    columns: Sequence[str] = ()
    highlight_row: int | None = None
    highlight_column: int | None = None


def step_names(steps: NDArray[np.integer], counts: NDArray[np.integer]) -> list[str]:
    """Names of steps after a change, with the number of pairs that have them."""
    names = [f"{step:+d}" if step else "changed" for step in steps]
    return [f"{name} (n = {n})" for name, n in zip(names, counts, strict=True)]


def stacked_maps(panels: Sequence[Sequence[MapPanel]], *, row_title: str) -> go.Figure:
    """Rows of panels on one scale from -1 to 1, where 1 is what the edit itself does."""
    n_rows, n_columns = len(panels), len(panels[0])
    heights = [max(len(panel.rows) for panel in row) for row in panels]
    pixels = [ROW_HEIGHT * height + TITLE_HEIGHT for height in heights]
    figure = make_subplots(
        n_rows,
        n_columns,
        subplot_titles=[panel.title for row in panels for panel in row],
        row_heights=[float(p) for p in pixels],
        vertical_spacing=TITLE_HEIGHT / sum(pixels),
        horizontal_spacing=0.18,
    )
    for i, row in enumerate(panels, start=1):
        for j, panel in enumerate(row, start=1):
            _add(figure, panel, i, j)
            if j == 1:
                figure.update_yaxes(title=row_title, row=i, col=j)
    figure.update_annotations(font_size=14, yshift=6)
    return figure.update_layout(
        coloraxis={
            "cmin": -1,
            "cmax": 1,
            "colorscale": SIGNED_COLOURS,
            "colorbar": {"title": {"text": UNIT, "side": "right"}, "thickness": 10},
        },
        plot_bgcolor=EMPTY_COLOUR,
        height=MARGIN_HEIGHT + sum(pixels),
        margin={"l": 10, "r": 10, "t": 40, "b": 50},
    )


def _add(figure: go.Figure, panel: MapPanel, row: int, column: int) -> None:
    n_rows, n_columns = panel.values.shape
    names = list(panel.columns) or [str(i) for i in range(n_columns)]
    figure.add_trace(
        go.Heatmap(
            z=panel.values,
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            hoverongaps=False,
            text=[[f"{r}, {panel.column_title} {c}" for c in names] for r in panel.rows],
            hovertemplate="%{text}: %{z:.3f}<extra></extra>",
        ),
        row=row,
        col=column,
    )
    step = -(-n_columns // MAX_COLUMN_NAMES)
    where = {"row": row, "col": column}
    figure.update_xaxes(
        title={"text": panel.column_title, "standoff": 4},
        tickvals=list(range(0, n_columns, step)),
        ticktext=names[::step],
        range=[-0.5, n_columns - 0.5],
        showgrid=False,
        zeroline=False,
        **where,
    )
    figure.update_yaxes(
        tickvals=list(range(n_rows)),
        ticktext=list(panel.rows),
        range=[n_rows - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        automargin=True,
        **where,
    )
    frame = {"line": {"color": MARK_COLOUR, "width": 2}, **where}
    if panel.highlight_row is not None:
        y = panel.highlight_row
        figure.add_shape(type="rect", x0=-0.5, x1=n_columns - 0.5, y0=y - 0.5, y1=y + 0.5, **frame)
    if panel.highlight_column is not None:
        x = panel.highlight_column
        figure.add_shape(type="rect", x0=x - 0.5, x1=x + 0.5, y0=-0.5, y1=n_rows - 0.5, **frame)
