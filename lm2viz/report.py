"""One HTML page of a trace that opens offline: the pictures of the app, one below the other.

Deliberately without a model: what needs one, such as an intervention, has a command of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from lm2core.files import write_whole
from lm2core.trace import Trace
from lm2viz import select
from lm2viz.figures.heatmap import fraction_heatmap, signed_heatmap

MAX_SENTENCES = 60  # pictures of a longer story would be unreadable: its last sentences are shown
STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}"
    "figure{margin:2rem 0}figcaption{color:#555;white-space:pre-line}"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure and the line that says what one looks at."""

    figure: go.Figure
    caption: str


def write_report(path: str | Path, trace: Trace, *, story: int = 0) -> int:
    """Write the page of one story of a trace, whole or not at all; returns the number of pictures.

    Raises
    ------
    ValueError
        When the story is not in the trace, or nothing of the memory was recorded that could be shown.
    """
    if not 0 <= story < len(trace.tokens):
        raise ValueError(f"story {story} is not in the trace; it has 0 to {len(trace.tokens) - 1}")
    pictures = list(_pictures(trace, story))
    if not pictures:
        raise ValueError(
            "the trace has nothing to show of the memory; record it with: lm2 trace CHECKPOINT --story FILE "
            "--out run.safetensors --hooks 'mem.*,hook_bank'"
        )
    write_page(path, f"Memory of {trace.info.get('model', 'an LM2')}", _told(trace, story), pictures)
    return len(pictures)


def write_page(path: str | Path, title: str, text: str, pictures: Iterable[Picture]) -> None:
    """An HTML page with plotly inside it; ``text`` is HTML, everything else is escaped."""
    figures = [
        f"<figure>{picture.figure.to_html(full_html=False, include_plotlyjs=i == 0)}"
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for i, picture in enumerate(pictures)
    ]
    write_whole(
        path,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{text}{''.join(figures)}</body></html>",
    )


def _told(trace: Trace, story: int) -> str:
    lines = [" ".join(words) for words in trace.tokens[story]]
    return f"<ol>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ol>"


def _pictures(trace: Trace, story: int) -> Iterator[Picture]:
    n_read = len(trace.tokens[story])
    shown = range(max(0, n_read - MAX_SENTENCES), n_read)
    rows = [f"{s + 1}: {' '.join(trace.tokens[story][s])}"[:40] for s in shown]
    if _has(trace, "hook_gate_in", "hook_gate_forget"):
        gates = [select.slot_gates(trace, s, story=story) for s in shown]
        slots = [str(n) for n in range(gates[0][0].shape[1])]
        yield Picture(
            _wide(
                fraction_heatmap(
                    np.stack([opened.mean(axis=0) for opened, _ in gates]),
                    rows=rows,
                    columns=slots,
                    title="Which sentence wrote to which slot",
                    unit="input gate",
                )
            ),
            "Bright: the sentence let new content into the slot (input gate, mean over blocks and width).",
        )
        yield Picture(
            _wide(
                fraction_heatmap(
                    np.stack([kept.prod(axis=0) for _, kept in gates]),
                    rows=rows,
                    columns=slots,
                    title="What each sentence left of what was there",
                    unit="kept share",
                )
            ),
            "Dark: the slot's old content was erased (kept shares of all blocks, multiplied).",
        )
    if "hook_bank" in trace.arrays:
        bank = trace.select("hook_bank", story=story, segment=n_read - 1)
        yield Picture(
            signed_heatmap(
                bank,
                rows=[str(n) for n in range(len(bank))],
                columns=[str(d) for d in range(bank.shape[1])],
                title="The bank after the last sentence",
                unit="value",
                limit=select.largest_size(np.nan_to_num(bank)) or 1.0,
            ),
            "One row is one slot. Blue is positive, red negative; cells that are not numbers stay empty.",
        )


def _has(trace: Trace, *hooks: str) -> bool:
    return bool(trace.blocks) and all(
        f"blocks.{block}.mem.{hook}" in trace.arrays for block in trace.blocks for hook in hooks
    )


def _wide(figure: go.Figure) -> go.Figure:
    """Room for sentences beside the rows."""
    return figure.update_layout(margin={"l": 290})
