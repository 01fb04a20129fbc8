"""Bars: answers with their probabilities, the control beside them."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from lm2viz.figures.text import plain

BAR_HEIGHT, MARGIN_HEIGHT = 12, 130  # pixels
MODEL_COLOUR, CONTROL_COLOUR = "#1f6f9f", "#c8a24a"  # dark blue and ochre: apart for every kind of sight


def answer_bars(
    words: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    colours: Sequence[str] = (MODEL_COLOUR, CONTROL_COLOUR),
) -> go.Figure:
    """Probability in [0, 1] of each answer under several conditions, the first on top, the control last.

    colours : one a condition
    """
    figure = go.Figure(
        [
            go.Bar(
                y=plain(words),
                x=list(values),
                name=name,
                orientation="h",
                marker_color=colour,
                hovertemplate=f"%{{y}}: %{{x:.1%}} ({name})<extra></extra>",
            )
            for (name, values), colour in reversed(list(zip(series.items(), colours, strict=True)))
        ]
    )
    return figure.update_layout(
        xaxis={"range": [0, 1], "tickformat": ".0%", "title": "probability of the answer"},
        yaxis={"autorange": "reversed", "automargin": True},
        height=MARGIN_HEIGHT + (10 + BAR_HEIGHT * len(series)) * len(words),
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
    )


def paired_bars(
    names: Sequence[str], groups: Mapping[str, Sequence[float]], *, x_title: str, y_title: str
) -> go.Figure:
    """Fractions by name, upright; the finding and, where there is a second group, its control beside it."""
    figure = go.Figure(
        [
            go.Bar(
                x=list(names),
                y=list(values),
                name=group,
                marker_color=colour,
                hovertemplate=f"%{{x}}: %{{y:.1%}}<extra>{group}</extra>",
            )
            for (group, values), colour in zip(groups.items(), (MODEL_COLOUR, CONTROL_COLOUR), strict=False)
        ]
    )
    return figure.update_layout(
        xaxis={"title": x_title, "type": "category"},
        yaxis={"title": y_title, "tickformat": ".0%", "range": [0, 1.02]},
        height=340,
        margin={"l": 70, "r": 20, "t": 20, "b": 50},
        legend={"orientation": "h", "y": 1.12},
        showlegend=len(groups) > 1,
    )
