"""What probes decode, always with controls, on a fixed scale from 0 to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR
from lm2viz.figures.heatmap import FRACTION_COLOURS, ROW_HEIGHT
from lm2viz.figures.text import plain

GREY, PURPLE, GREEN = "#777777", "#8a4f9e", "#3b8a57"
SERIES = {  # apart by shape as well as by colour; a name looks the same in every picture
    "probe": (MODEL_COLOUR, "circle"),
    "majority": (CONTROL_COLOUR, "diamond"),
    "shuffled labels": (GREY, "x"),
    "control task": (PURPLE, "square"),
    "untrained model": (GREEN, "triangle-up"),
}
PANEL_GAP, AXIS_HEIGHT = 80, 150  # pixels
EMPTY = "#ffffff"  # cells without a number show this


def slot_fact_panels(
    panels: Mapping[str, NDArray[np.floating]],
    *,
    facts: Sequence[str],
    best: Mapping[str, int],
    estimates: Mapping[str, NDArray[np.floating]],
) -> go.Figure:
    """A matrix a panel, the probe first, and below them each fact's best slot with its controls.

    panels : by name, ndarray of shape (n_facts, n_slots + 1) in [0, 1], the last column the whole bank; NaN
        is empty
    best : slot of each fact that has one
    estimates : by name (those of ``SERIES``), ndarray of shape (n_best, 3): value, low and high for each fact
        of ``best``
    """
    n_slots = next(iter(panels.values())).shape[1] - 1
    columns = [*map(str, range(n_slots)), "bank"]
    per_fact = (len(panels) + 1) * len(facts) * ROW_HEIGHT
    height = per_fact + len(best) * ROW_HEIGHT + PANEL_GAP * (len(panels) + 1) + AXIS_HEIGHT
    figure = make_subplots(
        len(panels) + 1,
        1,
        subplot_titles=[*panels, "best slot (chosen on the training stories)"],
        vertical_spacing=PANEL_GAP / height,
        row_heights=[float(len(facts))] * len(panels) + [2.0 * max(len(best), 1)],
    )
    facts = plain(facts)
    for i, (name, values) in enumerate(panels.items(), start=1):
        text = [[f"{fact}, {_slot_name(column)}" for column in columns] for fact in facts]
        hover = f"%{{text}}: %{{z:.1%}} ({name})<extra></extra>"
        heat = go.Heatmap(
            z=values, text=text, hovertemplate=hover, coloraxis="coloraxis", xgap=1, ygap=1, name=name
        )
        figure.add_trace(heat, row=i, col=1)
        figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=columns, tickangle=0, row=i, col=1)
        figure.update_yaxes(**_names(facts), row=i, col=1)
    figure.update_xaxes(title="slot (last: the whole bank)", row=len(panels), col=1)
    _add_points(figure, estimates, row=len(panels) + 1)
    last = plain(f"{fact}: slot {slot}" for fact, slot in best.items())
    figure.update_yaxes(**_names(last), row=len(panels) + 1, col=1)
    figure.update_xaxes(**_accuracy_axis(), row=len(panels) + 1, col=1)
    figure.update_annotations(x=0, xanchor="left", font_size=15)
    bar = {"title": {"text": "held-out accuracy", "side": "right"}, "thickness": 10, "y": 0.65, "len": 0.6}
    return figure.update_layout(
        coloraxis={"cmin": 0, "cmax": 1, "colorscale": FRACTION_COLOURS, "colorbar": bar},
        plot_bgcolor=EMPTY,
        height=height,
        margin={"l": 170, "r": 70, "t": 40, "b": 90},
        legend={"orientation": "h", "yref": "container", "y": 0.0, "yanchor": "bottom"},
    )


def accuracy_lines(
    x: Sequence[float],
    estimates: Mapping[str, NDArray[np.floating]],
    *,
    ticks: Sequence[str],
    title: str,
    counts: Sequence[str],
) -> go.Figure:
    """Accuracies in [0, 1] with intervals along ``x``; ``ticks`` name its places.

    estimates : by name (those of ``SERIES``), ndarray of shape (n_places, 3): value, low, high
    counts : what stands behind each place; shown on hovering
    """
    figure = go.Figure()
    for name, values in estimates.items():
        colour, symbol = SERIES[name]
        figure.add_trace(
            go.Scatter(
                x=list(x),
                y=values[:, 0],
                error_y=_error(values),
                name=name,
                mode="lines+markers",
                line={"color": colour},
                marker={"symbol": symbol, "size": 9},
                text=list(counts),
                hovertemplate=f"{name}: %{{y:.1%}}, %{{text}}<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"title": title, "tickvals": list(x), "ticktext": list(ticks)},
        yaxis=_accuracy_axis(),
        height=380,
        margin={"l": 60, "r": 10, "t": 50, "b": 50},
        legend={"orientation": "h", "y": 1.15},
    )


def bit_bars(names: Sequence[str], bits: NDArray[np.floating], *, uniform: float) -> go.Figure:
    """Bits a sample of each code, shape (n_codes, 3): value, low, high; the uniform code is a line."""
    figure = go.Figure(
        go.Bar(
            y=list(names),
            x=bits[:, 0],
            error_x=_error(bits),
            orientation="h",
            marker_color=[SERIES[name][0] for name in names],
            hovertemplate="%{y}: %{x:.3f} bits<extra></extra>",
        )
    )
    figure.add_vline(
        x=uniform, line_dash="dash", line_color=GREY, annotation_text=f"uniform code {uniform:.2f}"
    )
    return figure.update_layout(
        xaxis={"title": "code length (bits per row)", "range": [0, 1.1 * max(uniform, float(bits.max()))]},
        yaxis={"autorange": "reversed", "automargin": True},
        height=120 + 44 * len(names),
        margin={"l": 10, "r": 10, "t": 30, "b": 50},
    )


def _add_points(figure: go.Figure, estimates: Mapping[str, NDArray[np.floating]], *, row: int) -> None:
    """One point a fact and name, each name a little lower than the one before."""
    for i, (name, values) in enumerate(estimates.items()):
        colour, symbol = SERIES[name]
        figure.add_trace(
            go.Scatter(
                x=values[:, 0],
                y=np.arange(len(values)) + (i / max(len(estimates) - 1, 1) - 0.5) * 0.6,
                error_x=_error(values),
                name=name,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9},
                hovertemplate=f"{name}: %{{x:.1%}}<extra></extra>",
            ),
            row=row,
            col=1,
        )


def _error(values: NDArray[np.floating]) -> dict[str, object]:
    """Error bars from value, low and high."""
    value, low, high = values.T
    return {"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low}


def _names(names: Sequence[str]) -> dict[str, object]:
    n = len(names)
    return {
        "tickvals": list(range(n)),
        "ticktext": list(names),
        "range": [n - 0.5, -0.5],
        "showgrid": False,
        "zeroline": False,
    }


def _accuracy_axis() -> dict[str, object]:
    return {"title": "held-out accuracy", "range": [-0.02, 1.02], "tickformat": ".0%"}


def _slot_name(column: str) -> str:
    return "whole bank" if column == "bank" else f"slot {column}"
