"""Accuracies of probes by fact and slot, and of one probe beside its controls, on a fixed scale to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.estimates import Estimate
from lm2viz.figures.heatmap import stacked_fractions
from lm2viz.figures.probes import SERIES
from lm2viz.figures.text import plain

NAMES_WIDTH, BAR_WIDTH = 150, 110  # pixels; "holder of football" and a titled bar of percentages fit
BANK = "bank"  # the last column: all slots together


def accuracy_matrices(panels: Mapping[str, NDArray[np.floating]], *, facts: Sequence[str]) -> go.Figure:
    """Accuracies in [0, 1], each of shape (n_slots + 1, n_facts), drawn facts by slots one below the other.

    Cells of a fact that could not be probed are NaN and stay empty.
    """
    n_slots = len(next(iter(panels.values()))) - 1
    columns = [*map(str, range(n_slots)), BANK]
    figure = stacked_fractions(
        {title: values.T for title, values in panels.items()}, rows=facts, columns=columns
    )
    names = [f"slot {n}" for n in range(n_slots)] + ["whole bank"]
    text = [[f"{fact}, {name}" for name in names] for fact in plain(facts)]
    figure.update_traces(text=text, hovertemplate="%{text}: %{z:.1%}<extra></extra>")
    bar = {"title": {"text": "held-out accuracy", "side": "right"}, "thickness": 10, "tickformat": ".0%"}
    return figure.update_layout(
        coloraxis_colorbar=bar,
        margin={"l": NAMES_WIDTH, "r": BAR_WIDTH},
        xaxis_title_text="slot (last: the whole bank)",
    )


def accuracy_points(estimates: Mapping[str, Estimate]) -> go.Figure:
    """One point with its interval a name (those of ``SERIES``), the first at the top."""
    figure = go.Figure()
    for name, estimate in estimates.items():
        colour, symbol = SERIES[name]
        figure.add_trace(
            go.Scatter(
                x=[estimate.value],
                y=[name],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [estimate.high - estimate.value],
                    "arrayminus": [estimate.value - estimate.low],
                },
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 11},
                name=name,
                hovertemplate=f"{name}: %{{x:.1%}}<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"title": "held-out accuracy", "range": [-0.02, 1.02], "tickformat": ".0%"},
        yaxis={"autorange": "reversed", "automargin": False},
        height=110 + 36 * len(estimates),
        margin={"l": 130, "r": 20, "t": 10, "b": 50},
        showlegend=False,
    )
