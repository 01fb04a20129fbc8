"""Attention at two times, the difference, and how far it moved, one below the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.heatmap import FRACTION_COLOURS, ROW_HEIGHT, SIGNED_COLOURS
from lm2viz.figures.lines import Series, interval_points, name_axis
from lm2viz.figures.text import plain

POINTS_HEIGHT, GAPS_HEIGHT = 160, 330  # pixels
BAR_LENGTH = 0.4  # of the height, each of the two colour bars


def before_after_panels(
    before: NDArray[np.floating[Any]],
    after: NDArray[np.floating[Any]],
    distances: Sequence[Series],
    *,
    words: Sequence[str],
    titles: Sequence[str],
) -> go.Figure:
    """Words x slots before, after and the difference; below them the distance of each word and its controls.

    before, after : ndarrays of shape (n_words, n_slots), fractions in [0, 1]
    titles : of these two
    """
    words = plain(words)
    heatmap = ROW_HEIGHT * len(words)
    figure = make_subplots(
        4,
        1,
        subplot_titles=[*titles, "difference (after - before)", "distance between the reads"],
        row_heights=[heatmap, heatmap, heatmap, POINTS_HEIGHT],
        vertical_spacing=0.11,
    )
    for i, (values, axis) in enumerate(
        ((before, "coloraxis"), (after, "coloraxis"), (after - before, "coloraxis2")), start=1
    ):
        hover = "%{y}, slot %{x}: %{z:.3f}<extra></extra>"
        heat = go.Heatmap(z=values, y=words, coloraxis=axis, xgap=1, ygap=1, hovertemplate=hover)
        figure.add_trace(heat, row=i, col=1)
        figure.update_yaxes(autorange="reversed", type="category", row=i, col=1)
    figure.update_xaxes(title="slot", row=3, col=1)
    figure.add_traces(interval_points(distances, words), rows=4, cols=1)
    figure.update_xaxes(**name_axis(words, "word"), row=4, col=1)
    figure.update_yaxes(title="total variation", range=[0, 1], row=4, col=1)
    figure.update_annotations(x=0, xanchor="left", font_size=14)
    bar = {"thickness": 10, "len": BAR_LENGTH}
    return figure.update_layout(
        coloraxis={
            "cmin": 0,
            "cmax": 1,
            "colorscale": FRACTION_COLOURS,
            "colorbar": {**bar, "y": 0.8, "title": "attention"},
        },
        coloraxis2={
            "cmin": -1,
            "cmax": 1,
            "colorscale": SIGNED_COLOURS,
            "colorbar": {**bar, "y": 0.3, "title": "change"},
        },
        height=3 * heatmap + POINTS_HEIGHT + GAPS_HEIGHT,
        margin={"l": 90, "r": 90, "t": 40, "b": 60},
        legend={"orientation": "h", "y": -0.1},
    )
