"""Bars of the sentences that a question's reads come from; every row can be clicked."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.arrays import Array
from lm2viz.figures.provenance import score_bars
from lm2viz.figures.text import plain

TITLE = "Sources of the read"
N_TARGETS = 24  # click targets per row
TARGET_SIZE = 22  # pixels
COLUMN_WIDTH = 92  # pixels


def source_bars(
    names: Sequence[str],
    shares: Array,
    numbers: Sequence[int],
    *,
    even: float,
    without: Array,
    is_needed: NDArray[np.bool_],
) -> go.Figure:
    """Shares of sources, direct and indirect stacked, with controls; and the answer without each.

    shares : ndarray of shape (3, n_sources), signed: direct, indirect, and if every slot is read equally
    numbers : sentence numbers, the ``customdata`` of a click
    even : share of each if all were equal
    without : (n_sources,), probability of the answer without each, in [0, 1]; NaN draws nothing
    is_needed : (n_sources,), printed in bold
    """
    direct, indirect, any_slot = shares
    figure = score_bars(names, direct, indirect, any_slot=any_slot, title=TITLE, even=even)
    names = plain(names)  # as score_bars has them
    hover_text = [
        f"{name}<br>{d + i:.1%}: {d:.1%} directly, {i:.1%} via other slots<br>every slot read equally {a:.1%}"
        + ("" if np.isnan(p) else f"<br>probability of the answer without it {p:.1%}")
        for name, d, i, a, p in zip(names, direct, indirect, any_slot, without, strict=True)
    ]
    low, high = figure.layout.xaxis.range
    opaque = {"marker": {"opacity": 1}}  # a click must not fade the other rows
    figure.update_traces(selected=opaque, unselected=opaque)
    invisible = {"marker": {"opacity": 0.001}}
    figure.add_trace(
        go.Scatter(
            x=np.tile(np.linspace(low, high, N_TARGETS), len(names)),
            y=np.repeat(list(names), N_TARGETS),
            customdata=np.repeat(list(numbers), N_TARGETS),
            text=np.repeat(hover_text, N_TARGETS),
            mode="markers",
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            selected=invisible,
            unselected=invisible,
            marker={"symbol": "square", "size": TARGET_SIZE, "opacity": 0.001},
        )
    )
    _add_column(figure, names, without, is_needed)
    return figure.update_layout(clickmode="event+select", dragmode=False)


def _add_column(
    figure: go.Figure, names: Sequence[str], without: Array, is_needed: NDArray[np.bool_]
) -> None:
    """Probabilities right of the bars, one per row, under a heading."""
    beside = {"xref": "paper", "x": 1.0, "xanchor": "left", "showarrow": False}
    figure.add_annotation(text="answer<br>without it", yref="paper", y=1.0, yanchor="bottom", **beside)
    for name, p, needed in zip(names, without, is_needed, strict=True):
        if not np.isnan(p):
            figure.add_annotation(
                text=f"<b>{p:.0%}</b>" if needed else f"{p:.0%}", y=name, xshift=8, **beside
            )
    figure.update_layout(margin_r=COLUMN_WIDTH)
