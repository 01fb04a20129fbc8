"""Curves of a training run: accuracy of each task beside what needs no model, and the loss."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR

COLOURS = (MODEL_COLOUR, "#d55e00", "#009e73", "#cc79a7", "#777777")  # apart for every kind of sight
DASHES = ("dash", "dot", "dashdot")


def training_curves(
    steps: Sequence[int],
    accuracy: Mapping[str, Sequence[float | None]],
    loss: Sequence[float | None],
    *,
    floors: Mapping[str, float],
    n_steps: int,
) -> go.Figure:
    """Running accuracy in [0, 1] by task, above the loss in nats, both over ``n_steps`` optimizer steps.

    floors : accuracy of answers that need no model, by what gives them; drawn as lines across
    """
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.6, 0.4])
    for colour, (task, values) in zip(cycle(COLOURS), accuracy.items(), strict=False):
        line = go.Scatter(
            x=list(steps),
            y=list(values),
            name=task,
            mode="lines+markers",
            line_color=colour,
            cliponaxis=False,
        )
        figure.add_trace(line, row=1, col=1)
    for dash, (name, value) in zip(cycle(DASHES), floors.items(), strict=False):
        line = go.Scatter(
            x=[0, n_steps],
            y=[value, value],
            name=f"{name}: {value:.0%}",
            mode="lines",
            line={"color": CONTROL_COLOUR, "dash": dash},
        )
        figure.add_trace(line, row=1, col=1)
    figure.add_trace(
        go.Scatter(x=list(steps), y=list(loss), mode="lines+markers", line_color="#777777", showlegend=False),
        row=2,
        col=1,
    )
    figure.update_yaxes(title="accuracy", range=[0, 1.02], tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title="loss (nats)", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(range=[0, n_steps])
    figure.update_xaxes(title="optimizer step", row=2, col=1)
    return figure.update_layout(
        height=460, margin={"l": 70, "r": 20, "t": 20, "b": 50}, legend={"orientation": "h", "y": 1.12}
    )
