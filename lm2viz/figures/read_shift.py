"""How far reads move, beside the scale that such a distance needs."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.figures.lines import LOOKS


def distances_by_head(distances: Mapping[str, Array], *, blocks: Sequence[int]) -> go.Figure:
    """A point for each head of each block and each comparison; the finding first, its controls after it.

    distances : ndarrays of shape (n_blocks, n_heads) in [0, 1] by what is compared, at most three
    """
    figure = go.Figure()
    for (name, values), (colour, symbol, _) in zip(distances.items(), LOOKS, strict=False):
        n_heads = values.shape[1]
        figure.add_scatter(
            x=[
                [f"block {block}" for block in blocks for _ in range(n_heads)],
                [*range(n_heads)] * len(blocks),
            ],
            y=values.ravel(),
            name=name,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.85},
            hovertemplate="%{x}: %{y:.3f}<extra>" + name + "</extra>",
        )
    return figure.update_layout(
        title={"text": "Distance between the last word's reads", "font": {"size": 15}, "x": 0},
        xaxis={"title": "head"},
        yaxis={"title": "total variation", "range": [-0.03, 1.03], "tickvals": [0, 0.5, 1]},
        legend={"orientation": "h", "y": -0.42, "yanchor": "top"},
        height=400,
        margin={"l": 60, "r": 20, "t": 40, "b": 160},
    )
