"""A grid of answers: a row a model, a column after every sentence."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2viz.figures.heatmap import FRACTION_COLOURS
from lm2viz.figures.text import plain

ROW_HEIGHT = 34  # pixels: a word and its mark
MAX_WRITTEN = 12  # columns whose words fit; of more the words are shown under the pointer alone
MARKS = {True: " ✓", False: " ✗", None: ""}


def answer_grid(
    sure: NDArray[np.floating],
    words: Sequence[Sequence[str | None]],
    is_right: Sequence[Sequence[bool | None]],
    *,
    names: Sequence[str],
) -> go.Figure:
    """Answers with their probabilities in [0, 1].

    sure : ndarray of shape (n_rows, n_columns); NaN for a row that is no model
    words, is_right : as many; None where there is no answer, or where it is not known what is right
    """
    hover_text = [
        plain(f"{word}{MARKS[right]}" if word else "" for word, right in zip(row, marks, strict=True))
        for row, marks in zip(words, is_right, strict=True)
    ]
    names = plain(names)
    n_rows, n_columns = sure.shape
    figure = go.Figure(
        go.Heatmap(
            z=sure,
            zmin=0,
            zmax=1,
            colorscale=FRACTION_COLOURS,
            xgap=1,
            ygap=1,
            text=hover_text,
            texttemplate="%{text}" if n_columns <= MAX_WRITTEN else None,
            customdata=np.broadcast_to(np.array(names)[:, None], sure.shape),
            hovertemplate="%{customdata}, after %{x} sentences: %{text} (%{z:.0%})<extra></extra>",
            colorbar={
                "title": {"text": "probability", "side": "right"},
                "tickformat": ".0%",
                "thickness": 10,
            },
        )
    )
    return figure.update_layout(
        xaxis={
            "title": "sentences read",
            "tickmode": "linear",
            "dtick": 1 + n_columns // 20,
            "showgrid": False,
        },
        yaxis={
            "tickvals": list(range(n_rows)),
            "ticktext": names,
            "range": [n_rows - 0.5, -0.5],
            "showgrid": False,
        },
        height=110 + ROW_HEIGHT * n_rows,
        margin={"l": 150, "r": 70, "t": 20, "b": 50},
    )
