"""Long texts: the input gate by segment, facts beside background, and answers beside their controls."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.arrays import Array
from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR
from lm2viz.figures.text import plain

FACT_COLOUR, BACKGROUND_COLOUR = "#d55e00", "#a5a5a5"
BAR_WIDTH = 0.9  # of a segment's place; else bars that stand far apart would fill what is between them
ANSWER_COLOURS = (MODEL_COLOUR, "#7fb8d6", CONTROL_COLOUR)  # the text, its facts alone, the control
PANEL_HEIGHT, MARGIN_HEIGHT = 84, 100  # pixels
TOP = 1.12  # of the gate's axis: room for the mark above a gate of 1


def gate_strips(
    gates: Array, is_fact: NDArray[np.bool_], *, blocks: Sequence[int], texts: Sequence[str], unit: str
) -> go.Figure:
    """A bar a segment in a row a block, in the order of the text; a triangle stands above each fact.

    gates : ndarray of shape (n_blocks, n_segments) in [0, 1]
    is_fact : ndarray of shape (n_segments,)
    texts : what each segment says
    """
    figure = make_subplots(len(blocks), 1, shared_xaxes=True, vertical_spacing=0.04)
    for row, values in enumerate(gates, start=1):
        for name, chosen, colour in (
            ("background", ~is_fact, BACKGROUND_COLOUR),
            ("fact", is_fact, FACT_COLOUR),
        ):
            places = np.flatnonzero(chosen)
            figure.add_bar(
                x=places + 1,
                y=values[chosen],
                width=BAR_WIDTH,
                name=name,
                marker={"color": colour, "line": {"width": 0}},
                unselected={"marker": {"opacity": 1}},
                text=[_shortened(texts[i]) for i in places.tolist()],
                textposition="none",
                hovertemplate=f"segment %{{x}}, {name}: %{{y:.3f}}<br>%{{text}}<extra></extra>",
                showlegend=row == 1,
                row=row,
                col=1,
            )
        at_facts = np.flatnonzero(is_fact)
        figure.add_scatter(
            x=at_facts + 1,
            y=values[is_fact] + 0.06,
            mode="markers",
            marker={"symbol": "triangle-down", "size": 8, "color": FACT_COLOUR},
            hoverinfo="skip",
            showlegend=False,
            row=row,
            col=1,
        )
        figure.update_yaxes(title=f"block {blocks[row - 1]}", row=row, col=1)
    figure.update_yaxes(range=[0, TOP], tickvals=[0, 0.5, 1], title_font_size=12)
    figure.update_xaxes(range=[0.5, gates.shape[1] + 0.5], showgrid=False)
    figure.update_xaxes(title="segment", row=len(blocks), col=1)
    return figure.update_layout(
        title={"text": f"Input gate, {unit}", "font": {"size": 15}, "x": 0},
        height=MARGIN_HEIGHT + PANEL_HEIGHT * len(blocks),
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        barmode="overlay",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        dragmode=False,
    )


def gate_boxes(models: Mapping[str, Array], is_fact: NDArray[np.bool_], blocks: Sequence[int]) -> go.Figure:
    """How the gate is spread over the segments, by block; a panel a model, facts beside background.

    models : ndarrays of shape (n_blocks, n_segments) in [0, 1] by the name of the panel
    """
    figure = make_subplots(1, len(models), shared_yaxes=True, subplot_titles=list(models))
    for column, gates in enumerate(models.values(), start=1):
        for name, chosen, colour in (
            ("facts", is_fact, FACT_COLOUR),
            ("background", ~is_fact, BACKGROUND_COLOUR),
        ):
            n_chosen = int(chosen.sum())
            figure.add_box(
                x=np.repeat([f"block {block}" for block in blocks], n_chosen),
                y=gates[:, chosen].ravel(),
                name=f"{name}, n = {n_chosen}",
                legendgroup=name,
                offsetgroup=name,
                marker={"color": colour, "size": 4, "opacity": 0.6},
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                boxmean=True,
                hoveron="points",
                hovertemplate="%{x}: %{y:.3f}<extra>" + name + "</extra>",
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_yaxes(range=[0, 1], row=1, col=1, title="input gate")
    return figure.update_layout(
        boxmode="group",
        height=340,
        margin={"l": 60, "r": 20, "t": 60, "b": 30},
        legend={"orientation": "h", "y": 1.12, "yanchor": "bottom"},
    )


def _shortened(text: str, max_chars: int = 70) -> str:
    """For a tooltip: the beginning, with what plotly would take for markup written out."""
    beginning = text if len(text) <= max_chars else text[: max_chars - 1] + "…"
    return plain([beginning])[0]
