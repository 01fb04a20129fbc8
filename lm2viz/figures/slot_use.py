"""Facts by slots, each cell coloured by what is shown of it: decoded, used, both or neither."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.figures.heatmap import MARGIN_HEIGHT, ROW_HEIGHT
from lm2viz.figures.text import plain

COLOURS = (
    "#0072b2",
    "#f0c571",
    "#d55e00",
    "#f2f2f2",
)  # in the order of the verdicts; safe for the colour-blind
SHOWN = ("probe", "selectivity", "zero", "resample", "interchange", "isolation")


def verdict_matrix(table: pd.DataFrame, *, verdicts: Sequence[str]) -> go.Figure:
    """A cell for each row of ``table`` (fact, slot, verdict and ``SHOWN``); other verdicts are left empty."""
    facts, slots = list(dict.fromkeys(table["fact"])), sorted(set(table["slot"]))
    codes = {word: i for i, word in enumerate(verdicts)}
    shape = len(facts), len(slots)
    z = table["verdict"].map(codes).to_numpy(dtype=float).reshape(shape)
    numbers = table.reindex(columns=list(SHOWN))
    text = [
        f"{plain([row.fact])[0]}, slot {row.slot}: {row.verdict}<br>"
        + "<br>".join(f"{name} {value:.0%}" for name, value in of_cell.items() if not np.isnan(value))
        for row, of_cell in zip(table.itertuples(), numbers.to_dict("records"), strict=True)
    ]
    edges = np.linspace(0, 1, len(verdicts) + 1)
    scale = [(float(edge), c) for i, c in enumerate(COLOURS) for edge in edges[i : i + 2]]
    heat = go.Heatmap(
        z=z,
        text=np.array(text, dtype=object).reshape(shape),
        hovertemplate="%{text}<extra></extra>",
        colorscale=scale,
        zmin=-0.5,
        zmax=len(verdicts) - 0.5,
        colorbar={"tickvals": list(range(len(verdicts))), "ticktext": list(verdicts), "thickness": 12},
        xgap=1,
        ygap=1,
    )
    figure = go.Figure(heat)
    figure.update_xaxes(title="slot", tickvals=list(range(len(slots))), ticktext=list(map(str, slots)))
    figure.update_yaxes(
        tickvals=list(range(len(facts))), ticktext=plain(facts), autorange="reversed", automargin=True
    )
    return figure.update_layout(
        height=MARGIN_HEIGHT + 90 + ROW_HEIGHT * len(facts), margin={"l": 10, "r": 10, "t": 30, "b": 50}
    )
