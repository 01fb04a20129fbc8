"""What an intervention changes, its placebos beside it, with intervals."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lm2viz.figures.bars import CONTROL_COLOUR, MODEL_COLOUR


def effect_points(
    change: NDArray[np.floating],
    low: NDArray[np.floating],
    high: NDArray[np.floating],
    *,
    variants: Sequence[str],
    measures: Sequence[str],
    is_share: Sequence[bool],
) -> go.Figure:
    """One panel a measure, one point a variant: the intervention first, its controls below it.

    change, low, high : ndarrays of shape (n_variants, n_measures); NaN where a control is not possible, which
        is written there
    is_share : for each measure; shares have the axis -1 to 1, others one symmetric about 0
    """
    colours = [MODEL_COLOUR] + [CONTROL_COLOUR] * (len(variants) - 1)
    figure = make_subplots(1, len(measures), shared_yaxes=True, subplot_titles=list(measures))
    for i, (measure, in_unit) in enumerate(zip(measures, is_share, strict=True)):
        limit = 1.0 if in_unit else 1.05 * float(np.nanmax(np.abs([low[:, i], high[:, i]]))) or 1.0
        figure.add_trace(
            go.Scatter(
                x=change[:, i],
                y=list(variants),
                mode="markers",
                marker={"color": colours, "size": 10},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": high[:, i] - change[:, i],
                    "arrayminus": change[:, i] - low[:, i],
                },
                showlegend=False,
                hovertemplate=f"%{{y}}: %{{x:.3f}} ({measure})<extra></extra>",
            ),
            row=1,
            col=i + 1,
        )
        for j in np.flatnonzero(np.isnan(change[:, i])).tolist():
            figure.add_annotation(x=0, y=variants[j], text="not possible", showarrow=False, row=1, col=i + 1)
        figure.add_vline(x=0, line_color="#888888", line_width=1, row=1, col=i + 1)
        figure.update_xaxes(range=[-limit, limit], title="change", row=1, col=i + 1)
    figure.update_yaxes(
        autorange=False,
        range=[len(variants) - 0.5, -0.5],
        type="category",
        categoryorder="array",
        categoryarray=list(variants),
        automargin=True,
    )
    return figure.update_layout(height=150 + 44 * len(variants), margin={"l": 10, "r": 10, "t": 40, "b": 50})
