"""What parts of a model, and slots of its memory, add to an answer: bars, with heatmaps below."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.estimates import Estimate
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR
from lm2viz.figures.heatmap import MAX_COLUMN_NAMES, ROW_HEIGHT, SIGNED_COLOURS

SECOND_CONTROL_COLOUR = "#9a9a9a"
COLOURS = (MODEL_COLOUR, CONTROL_COLOUR, SECOND_CONTROL_COLOUR)
BAR_HEIGHT, GAP = 38, 96  # pixels


def component_bars(
    value: NDArray[np.floating],
    low: NDArray[np.floating],
    high: NDArray[np.floating],
    *,
    banks: Sequence[str],
    components: Sequence[str],
    slots: Mapping[str, NDArray[np.floating]],
    rows: Sequence[str],
) -> go.Figure:
    """Contributions in logits with intervals, ndarrays of shape (n_banks, n_components), and slots by block.

    slots : by bank, ndarrays of shape (n_blocks, n_slots), on one scale symmetric about 0
    rows : names of the blocks
    """
    pixels = [BAR_HEIGHT * len(components)] + [ROW_HEIGHT * len(rows)] * len(slots)
    total = sum(pixels) + GAP * len(slots)
    figure = make_subplots(
        len(pixels),
        1,
        row_heights=[float(p) for p in pixels],
        vertical_spacing=GAP / total,
        subplot_titles=[
            "mean contribution to the answer",
            *(f"contribution of slots, {bank}" for bank in slots),
        ],
    )
    for name, colour, centre, start, end in zip(banks, COLOURS, value, low, high, strict=True):
        error = {"type": "data", "symmetric": False, "array": end - centre, "arrayminus": centre - start}
        figure.add_trace(
            go.Bar(
                y=list(components),
                x=centre,
                name=name,
                orientation="h",
                marker_color=colour,
                error_x=error | {"thickness": 1, "width": 2},
                hovertemplate=f"%{{y}}: %{{x:.3f}} logits ({name})<extra></extra>",
            ),
            row=1,
            col=1,
        )
    limit = 1.05 * float(np.abs([low, high]).max()) or 1.0
    figure.update_xaxes(
        range=[-limit, limit], title="logits (right answer minus best other word)", row=1, col=1
    )
    figure.update_yaxes(autorange="reversed", automargin=True, row=1, col=1)
    _add_slots(figure, slots, rows)
    shares = sum(pixels[1:]) / total
    bar = {"title": {"text": "logits", "side": "right"}, "thickness": 10, "len": shares, "y": shares / 2}
    size = float(max(np.abs(values).max() for values in slots.values())) or 1.0
    return figure.update_layout(
        coloraxis={"cmin": -size, "cmax": size, "colorscale": SIGNED_COLOURS, "colorbar": bar},
        height=total + 110,
        margin={"l": 10, "r": 10, "t": 70, "b": 50},
        legend={"orientation": "h", "y": 1.0, "yanchor": "top", "yref": "container", "traceorder": "normal"},
    )


def _add_slots(figure: go.Figure, slots: Mapping[str, NDArray[np.floating]], rows: Sequence[str]) -> None:
    for i, values in enumerate(slots.values(), start=2):
        n_rows, n_slots = values.shape
        figure.add_trace(
            go.Heatmap(
                z=values,
                coloraxis="coloraxis",
                xgap=1,
                ygap=1,
                text=[[f"{row}, slot {slot}" for slot in range(n_slots)] for row in rows],
                hovertemplate="%{text}: %{z:.3f} logits<extra></extra>",
            ),
            row=i,
            col=1,
        )
        step = -(-n_slots // MAX_COLUMN_NAMES)
        figure.update_xaxes(
            title={"text": "slot", "standoff": 4},
            tickvals=list(range(0, n_slots, step)),
            showgrid=False,
            zeroline=False,
            row=i,
            col=1,
        )
        figure.update_yaxes(
            tickvals=list(range(n_rows)),
            ticktext=list(rows),
            range=[n_rows - 0.5, -0.5],
            showgrid=False,
            zeroline=False,
            automargin=True,
            row=i,
            col=1,
        )


def slot_points(panels: Mapping[str, tuple[Sequence[Estimate], Sequence[Estimate]]]) -> go.Figure:
    """A panel a method: what each slot gets in logits, with intervals, in the story's bank and another's.

    All panels share one scale, symmetric about 0.
    """
    figure = make_subplots(len(panels), 1, subplot_titles=list(panels), vertical_spacing=0.2)
    names = ("story's bank", "control: another story's bank")
    limit = 0.0
    for row, pair in enumerate(panels.values(), start=1):
        for i, (estimates, colour, name) in enumerate(zip(pair, COLOURS, names, strict=False)):
            value, low, high = np.array([(e.value, e.low, e.high) for e in estimates]).T
            limit = max(limit, float(np.abs([low, high]).max()))
            error = {"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low}
            figure.add_trace(
                go.Scatter(
                    x=np.arange(len(value)) + 0.15 * (2 * i - 1),
                    y=value,
                    mode="markers",
                    name=name,
                    showlegend=row == 1,
                    marker={"color": colour, "size": 7},
                    error_y=error,
                    customdata=np.arange(len(value)),
                    hovertemplate=f"slot %{{customdata}}: %{{y:.3f}} logits ({name})<extra></extra>",
                ),
                row=row,
                col=1,
            )
    limit = 1.05 * limit or 1.0
    figure.update_yaxes(range=[-limit, limit], title="logits", zerolinecolor="#888888")
    figure.update_xaxes(title="slot", dtick=2, zeroline=False)
    return figure.update_layout(
        height=110 + 240 * len(panels),
        margin={"l": 10, "r": 10, "t": 70, "b": 50},
        legend={"orientation": "h", "y": 1.0, "yanchor": "top", "yref": "container"},
    )
