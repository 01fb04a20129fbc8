"""The gated update in pictures: a slot's values, answers side by side, who writes to and reads which slot."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.figures.bars import MODEL_COLOUR
from lm2viz.figures.text import plain

EDITED_COLOUR = "#d55e00"
PART_COLOURS = ("#8a8a8a", "#8fbcd8", "#009e73", MODEL_COLOUR, EDITED_COLOUR)
FAINTEST, N_WIDTHS = 0.03, 10  # weaker connections are not drawn; widths that lines come in
ROW_HEIGHT = 19  # pixels of a slot in the picture of routes


def part_bars(parts: Mapping[str, Array], *, dims: Sequence[int]) -> go.Figure:
    """Signed values of a slot, one group a dimension, one bar a part, on a scale symmetric about 0.

    parts : by name, ndarrays of shape (n_dims,): before, retained, written, after, after with edited gates
    """
    chosen = {name: values[list(dims)] for name, values in parts.items()}
    limit = 1.05 * max(float(np.abs(values).max()) for values in chosen.values()) or 1.0
    figure = go.Figure(
        [
            go.Bar(
                x=[str(d) for d in dims],
                y=values.tolist(),
                name=name,
                marker_color=colour,
                hovertemplate=f"dimension %{{x}}: %{{y:.3f}} ({name})<extra></extra>",
            )
            for (name, values), colour in zip(chosen.items(), PART_COLOURS, strict=False)
        ]
    )
    return figure.update_layout(
        xaxis={"title": "dimension", "type": "category"},
        yaxis={"title": "value", "range": [-limit, limit], "zeroline": True},
        height=340,
        margin={"l": 10, "r": 10, "t": 50, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )


def routes(
    sentence_words: Sequence[str],
    writes: Array,
    question_words: Sequence[str],
    reads: Array,
    *,
    slot: int,
    titles: Sequence[str] = ("writes", "slots", "reads"),
    left_margin: float = 0.55,
) -> go.Figure:
    """Words of a sentence on the left, slots in the middle, words of a question on the right.

    writes : ndarray of shape (n_writers, n_slots), how far each word opened each slot, in [0, 1]
    reads : ndarray of shape (n_readers, n_slots), attention of each word over slots, in [0, 1]
    slot : the one that is marked
    left_room : for the names on the left; a line to a slot is 1 wide
    """
    n_slots = writes.shape[1]
    sentence_words, question_words = plain(sentence_words), plain(question_words)
    left, right = (_spread(len(names), n_slots) for names in (sentence_words, question_words))
    figure = go.Figure()
    for side, heights, strength, colour in (
        (0.0, left, writes, MODEL_COLOUR),
        (2.0, right, reads, "#009e73"),
    ):
        figure.add_traces(_connections(side, heights, strength, colour))
    for x, heights, names, place in (
        (0.0, left, sentence_words, "middle left"),
        (2.0, right, question_words, "middle right"),
    ):
        figure.add_trace(_nodes([x] * len(names), heights, names, place))
    slots = [float(n) for n in range(n_slots)]
    dots = _nodes([1.0] * n_slots, slots, [str(n) for n in range(n_slots)], "middle center")
    dots.marker.update(
        size=17, color=["#e8b33a" if n == slot else "#d0d0d0" for n in range(n_slots)], opacity=1
    )
    figure.add_trace(dots.update(textfont={"color": "#222222", "size": 10}))
    hidden = {"visible": False, "fixedrange": True}
    return figure.update_layout(
        xaxis={"range": [-left_margin, 2.55], **hidden},
        yaxis={"range": [n_slots - 0.2, -1.6], **hidden},
        height=60 + ROW_HEIGHT * n_slots,
        margin={"l": 5, "r": 5, "t": 5, "b": 5},
        showlegend=False,
        annotations=[
            {"x": x, "y": -1.2, "text": text, "showarrow": False}
            for x, text in zip((0.0, 1.0, 2.0), titles, strict=True)
        ],
    )


def _spread(n: int, height: int) -> list[float]:
    """``n`` heights, evenly over the slots' height."""
    return [(i + 0.5) * height / n - 0.5 for i in range(n)]


def _connections(x: float, heights: Sequence[float], strength: Array, colour: str) -> list[go.Scatter]:
    """Lines from words at ``x`` to slots; wide and dark is strong.

    Lines of about one strength are one trace: a trace for each would make the page slow.
    """
    level = np.ceil(strength * N_WIDTHS).astype(int)
    lines = []
    for i in np.unique(level[strength >= FAINTEST]).tolist():
        ends = np.argwhere((level == i) & (strength >= FAINTEST)).tolist()
        lines.append(
            go.Scatter(
                x=[value for _ in ends for value in (x, 1.0, None)],
                y=[value for token, n in ends for value in (heights[token], float(n), None)],
                text=[text for token, n in ends for text in [f"slot {n}: {strength[token, n]:.2f}"] * 3],
                mode="lines",
                line={"color": colour, "width": 0.5 + 7 * i / N_WIDTHS},
                opacity=0.25 + 0.7 * i / N_WIDTHS,
                hoverinfo="text",
            )
        )
    return lines


def _nodes(x: Sequence[float], y: Sequence[float], names: Sequence[str], place: str) -> go.Scatter:
    return go.Scatter(
        x=list(x),
        y=list(y),
        text=list(names),
        mode="markers+text",
        textposition=place,
        marker={"size": 7, "color": "#8a8a8a"},
        hoverinfo="skip",
    )
