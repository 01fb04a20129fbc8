"""Provenance: sentences by slots, scores of sentences, and agreement with the supporting facts."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

import numpy as np
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR
from lm2viz.figures.heatmap import signed_heatmap
from lm2viz.figures.text import plain

INDIRECT_COLOUR = "#8ab8d6"  # the model's blue, lighter
CONTROL_SYMBOLS = ("line-ns-open", "diamond-open", "circle-open")
MAX_NAME = 44  # characters; longer sentences are cut
PIXELS_A_CHARACTER = 7
ROW_HEIGHT, MIN_ROWS_HEIGHT = 24, 120  # pixels; less than this, and the legend squeezes few rows flat


def share_heatmap(shares: Array, sources: Sequence[str], title: str) -> go.Figure:
    """Signed shares, shape (n_sources, n_slots); blue adds to the slot, red cancels a part of it.

    The scale is -1 to 1, or wider if a share is larger. Empty slots (NaN) stay blank.
    """
    names = _short(sources)
    columns = [str(slot) for slot in range(shares.shape[1])]
    limit = float(np.nanmax(np.abs(shares), initial=1.0))
    figure = signed_heatmap(
        shares,
        rows=names,
        columns=columns,
        title=title,
        unit="share of the slot",
        limit=limit,
        column_title="slot",
    )
    return figure.update_layout(margin_l=_name_width(names))


def score_bars(
    sources: Sequence[str],
    direct: Array,
    indirect: Array,
    *,
    any_slot: Array,
    title: str,
    even: float | None = None,
) -> go.Figure:
    """Signed scores (n_sources,), direct and indirect stacked; controls: slots read equally, equal shares.

    even : share of each source if all were equal; give it if not all are drawn
    """
    names = plain(_short(sources))
    figure = go.Figure(
        [
            go.Bar(
                y=names,
                x=values,
                name=name,
                orientation="h",
                marker_color=colour,
                hovertemplate=f"%{{y}}: %{{x:.1%}} ({name})<extra></extra>",
            )
            for values, name, colour in (
                (direct, "directly", MODEL_COLOUR),
                (indirect, "via other slots", INDIRECT_COLOUR),
            )
        ]
    )
    figure.add_trace(
        _marks(names, any_slot, "control: every slot read equally", "diamond-open", horizontal=True)
    )
    figure.add_vline(x=1 / len(names) if even is None else even, line_dash="dot", line_color=CONTROL_COLOUR)
    drawn = np.array([direct, indirect, direct + indirect, any_slot])
    low, high = float(drawn.min(initial=0.0)), float(drawn.max(initial=1.0))
    return figure.update_layout(
        barmode="relative",
        title={
            "text": f"{plain([title])[0]} (* supporting fact; dotted: equal shares)",
            "font": {"size": 15},
            "x": 0,
        },
        xaxis={
            "range": [1.1 * low, 1.05 * high],
            "tickformat": ".0%",
            "title": "share of what the question read",
        },
        yaxis={"autorange": "reversed", "type": "category"},
        height=170 + max(ROW_HEIGHT * len(names), MIN_ROWS_HEIGHT),
        margin={"l": _name_width(names), "r": 10, "t": 70, "b": 90},
        legend={"orientation": "h", "yref": "container", "y": 0.0, "yanchor": "bottom"},
    )


def agreement_bars(
    names: Sequence[str], value: Array, low: Array, high: Array, controls: Mapping[str, Array]
) -> go.Figure:
    """Shares in [0, 1] with their intervals, and the controls as marks."""
    bars = go.Bar(
        x=list(names),
        y=value,
        name="model",
        marker_color=MODEL_COLOUR,
        error_y={"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low},
        hovertemplate="%{x}: %{y:.1%}<extra></extra>",
    )
    marks = [
        _marks(names, values, f"control: {control}", symbol, horizontal=False)
        for (control, values), symbol in zip(controls.items(), CONTROL_SYMBOLS, strict=False)
    ]
    return go.Figure([bars, *marks]).update_layout(
        yaxis={"range": [0, 1.02], "tickformat": ".0%", "title": "share of questions or sentences"},
        height=420,
        margin={"l": 60, "r": 10, "t": 20, "b": 60},
        legend={"orientation": "h", "y": 1.14},
    )


def _marks(names: Sequence[str], values: Array, name: str, symbol: str, *, horizontal: bool) -> go.Scatter:
    at = {"x": values, "y": list(names)} if horizontal else {"x": list(names), "y": values}
    text = "%{y}: %{x:.1%}" if horizontal else "%{x}: %{y:.1%}"
    return go.Scatter(
        **at,
        mode="markers",
        name=name,
        marker={"color": CONTROL_COLOUR, "symbol": symbol, "size": 12, "line": {"width": 3}},
        hovertemplate=f"{text} ({name})<extra></extra>",
    )


def _short(sources: Sequence[str]) -> list[str]:
    return [shorten(name, MAX_NAME, placeholder=" ...") for name in sources]


def _name_width(names: Sequence[str]) -> int:
    return 20 + PIXELS_A_CHARACTER * max(map(len, names))
