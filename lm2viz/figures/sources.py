"""Bars of the sentences that a question's reads come from, on which every row can be clicked."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from lm2viz.figures.provenance import Array, score_bars

TITLE = "What was read came from"
N_TARGETS = 24  # click targets beside each other in a row
TARGET_SIZE = 22  # pixels


def source_bars(names: Sequence[str], shares: Array, numbers: Sequence[int], *, even: float) -> go.Figure:
    """Shares of sources, direct and indirect stacked, with the controls.

    shares : ndarray of shape (3, n_sources), signed: direct, indirect, and if every slot were read alike
    numbers : of the sentences; what a click on a row brings as ``customdata``
    even : share of each if all were equal
    """
    direct, indirect, any_slot = shares
    figure = score_bars(names, direct, indirect, any_slot=any_slot, title=TITLE, even=even)
    told = [
        f"{name}<br>{d + i:.1%}: {d:.1%} directly, {i:.1%} over other slots<br>every slot read alike {a:.1%}"
        for name, d, i, a in zip(names, direct, indirect, any_slot, strict=True)
    ]
    low, high = figure.layout.xaxis.range
    opaque = {"marker": {"opacity": 1}}  # a click must not fade what was not clicked
    figure.update_traces(selected=opaque, unselected=opaque)
    invisible = {"marker": {"opacity": 0.001}}
    figure.add_trace(
        go.Scatter(
            x=np.tile(np.linspace(low, high, N_TARGETS), len(names)),
            y=np.repeat(list(names), N_TARGETS),
            customdata=np.repeat(list(numbers), N_TARGETS),
            text=np.repeat(told, N_TARGETS),
            mode="markers",
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            selected=invisible,
            unselected=invisible,
            marker={"symbol": "square", "size": TARGET_SIZE, "opacity": 0.001},
        )
    )
    return figure.update_layout(clickmode="event+select", dragmode=False)
