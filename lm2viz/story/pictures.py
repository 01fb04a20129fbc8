"""The pictures of one story in a trace, each with a caption, the finding in words and its numbers.

The app shows them one by one, a report puts them on one page. Sentences are numbered from 0 in the code and
from 1 in everything shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.figures.heatmap import fraction_heatmap, signed_heatmap, stacked_fractions
from lm2viz.figures.provenance import share_heatmap
from lm2viz.provenance.slots import slot_origins
from lm2viz.provenance.traces import START
from lm2viz.story import select

ROWS_SUM_TO_1 = "Rows sum to 1."


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with its caption.

    caption : how to read the figure
    alt : the finding in words
    table : the numbers drawn
    """

    figure: go.Figure
    caption: str
    alt: str
    table: pd.DataFrame


def writes(trace: Trace, segment: int, block: int, *, story: int = 0) -> Picture:
    """How strongly each word of a sentence wrote to each slot, in one block."""
    strength = select.write_strength(trace, segment, block, story=story)
    return _fractions(
        strength,
        rows=select.words_of(trace, segment, story=story),
        title=f"Who wrote where, block {block}",
        unit="share × input gate",
        alt=f"Write strength by word and slot, block {block}: at most {strength.max():.2f}",
        caption="A bright cell: this word wrote strongly to this slot.",
    )


def gates(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """Input gate, forget gate and change of every slot, block by block."""
    input_gate, keep = select.slot_gates(trace, segment, story=story)
    panels = {
        "Input gate: bright lets new content in": input_gate,
        "Forget gate (share kept): dark erases old content": keep,
        "Change of content: bright is a large change": select.slot_change(trace, segment, story=story),
    }
    rows, columns = [f"block {block}" for block in trace.blocks], _numbers(input_gate.shape[1])
    tables = [pd.DataFrame(values, rows, columns) for values in panels.values()]
    return Picture(
        stacked_fractions(panels, rows=rows, columns=columns),
        "Gates and change of every slot, block by block. A slot's input gate is the sum over words of share "
        "times input gate; change is the root mean square over the slot's width, capped at 1.",
        f"By block and slot: input gate at most {input_gate.max():.2f}, share kept at least {keep.min():.2f}",
        pd.concat(tables, keys=["input gate", "forget gate", "change"]),
    )


def reads_of_last_word(trace: Trace, *, story: int = 0, segment: int = 0) -> Picture:
    """Attention of the last word of a sentence or question over slots, for every block and head."""
    token = len(trace.tokens[story][segment]) - 1
    pattern, rows = select.read_by_head(trace, token, story=story, segment=segment)
    return _fractions(
        pattern,
        rows=rows,
        title="What the last word read",
        unit="attention",
        alt="Attention of the last word over slots, one row per block and head",
        caption=f"A bright cell: this head reads from this slot. {ROWS_SUM_TO_1}",
    )


def reads_of_words(trace: Trace, block: int, *, story: int = 0, segment: int = 0) -> Picture:
    """Attention of each word of a sentence or question over slots, in one block."""
    return _fractions(
        select.read_by_token(trace, block, head=None, story=story, segment=segment),
        rows=select.words_of(trace, segment, story=story),
        title=f"What each word read, block {block}, mean over heads",
        unit="attention",
        alt=f"Attention of each word over slots in block {block}",
        caption=f"A bright cell: this word reads from this slot. {ROWS_SUM_TO_1}",
    )


def bank(trace: Trace, segment: int, *, story: int = 0) -> dict[str, Picture]:
    """The bank "before" and "after" a sentence, and the "difference", on one scale."""
    before, after, difference = select.bank_before_after(trace, segment, story=story)
    limit = max(_largest(before), _largest(after)) or 1.0
    return {
        "difference": _signed(difference, "What the sentence changed: after minus before", limit),
        "before": _signed(before, "The bank before the sentence", limit),
        "after": _signed(after, "The bank after the sentence", limit),
    }


def bank_difference(unedited: Trace, segment: int, edited: Trace, edited_segment: int) -> Picture:
    """The bank after a sentence in a run with edited gates, minus that in the unedited run."""
    after, after_edit = (
        select.bank_before_after(trace, s)[1] for trace, s in ((unedited, segment), (edited, edited_segment))
    )
    difference, title = after_edit - after, "Effect of the edited gates on the whole bank"
    return _signed(difference, title, _largest(difference) or 1.0)


def bank_alone(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """The bank after a sentence, for a trace that records nothing else of it."""
    after = trace.select("hook_bank", story=story, segment=segment)
    return _signed(after, "The bank after the sentence", _largest(after) or 1.0)


def history(trace: Trace, slot: int, *, story: int = 0) -> Picture:
    """The input gate of one slot over the story."""
    input_gate = select.slot_history(trace, slot, story=story)[:, : len(trace.tokens[story])]
    return _fractions(
        input_gate,
        rows=[f"block {block}" for block in trace.blocks],
        columns=[str(i + 1) for i in range(input_gate.shape[1])],
        column_title="sentence",
        title=f"Input gate of slot {slot} at every sentence",
        unit="gate",
        alt=f"Input gate of slot {slot} by block and sentence, at most {input_gate.max():.2f}",
        caption="Bright: this sentence wrote to the slot.",
    )


def gates_over_story(trace: Trace, shown: Sequence[int], *, story: int = 0) -> dict[str, Picture]:
    """How far the ``shown`` sentences opened each slot ("written"), and how much of it they kept ("kept")."""
    input_gates = [select.slot_gates(trace, segment, story=story)[0].mean(axis=0) for segment in shown]
    return {
        "written": _by_sentence(
            trace,
            shown,
            story,
            np.stack(input_gates),
            title="Which sentence wrote to which slot",
            unit="input gate",
            caption="Bright: the sentence let new content into the slot (input gate, mean over blocks "
            "and width).",
        ),
        "kept": _by_sentence(
            trace,
            shown,
            story,
            np.stack([select.keep_by_sentence(trace, segment, story=story) for segment in shown]),
            title="How much of each slot's content a sentence kept",
            unit="share kept",
            caption="Dark: the slot's old content was erased (forget gates of all blocks multiplied, "
            "mean over the width).",
        ),
    }


def slot_changes_over_story(trace: Trace, shown: Sequence[int], *, story: int = 0) -> Picture:
    """How far the ``shown`` sentences changed each slot."""
    changes = [select.size_of(select.bank_before_after(trace, segment, story=story)[2]) for segment in shown]
    return _by_sentence(
        trace,
        shown,
        story,
        np.stack(changes),
        title="Which sentence changed which slot",
        unit="change",
        caption="Bright: the sentence changed the slot's content a lot (root mean square over the width, "
        "capped at 1).",
    )


def origins(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """The sentences that each slot's content came from; see ``provenance.unroll``."""
    origin, error = slot_origins(trace, story, segment)
    sources = [*_sentences(trace, range(segment + 1), story), START]
    return Picture(
        share_heatmap(origin, sources, "Where each slot's content came from"),
        "Share of each slot's content that came from each sentence, directly or via other slots; columns sum "
        f"to 1. Equal shares would be {1 / len(sources):.0%}. The parts add up to the bank to within "
        f"{error:.1e}.",
        "Share of each slot's content by sentence",
        pd.DataFrame(origin, sources, _numbers(origin.shape[1])),
    )


def _fractions(
    values: Array,
    *,
    rows: Sequence[str],
    title: str,
    unit: str,
    alt: str,
    caption: str,
    columns: Sequence[str] | None = None,
    column_title: str = "slot",
) -> Picture:
    columns = _numbers(values.shape[1]) if columns is None else columns
    figure = fraction_heatmap(
        values, rows=rows, columns=columns, title=title, unit=unit, column_title=column_title
    )
    return Picture(figure, caption, alt, pd.DataFrame(values, list(rows), list(columns)))


def _signed(values: Array, title: str, limit: float) -> Picture:
    rows, columns = _numbers(len(values)), _numbers(values.shape[1])
    return Picture(
        signed_heatmap(values, rows=rows, columns=columns, title=title, unit="value", limit=limit),
        "Each row is a slot. Blue is positive, red negative, white zero. Values that are not finite are left "
        "blank.",
        f"{title}: slots by dimensions, largest absolute value {_largest(values):.2f}",
        pd.DataFrame(values, rows, columns),
    )


def _by_sentence(
    trace: Trace, shown: Sequence[int], story: int, values: Array, *, title: str, unit: str, caption: str
) -> Picture:
    """Sentences by slots, with a margin wide enough for the sentences."""
    rows, alt = _sentences(trace, shown, story), f"{title}: sentences by slots"
    picture = _fractions(values, rows=rows, title=title, unit=unit, alt=alt, caption=caption)
    picture.figure.update_layout(margin={"l": 290})
    return picture


def _sentences(trace: Trace, shown: Sequence[int], story: int) -> list[str]:
    """Row labels of sentences, numbered from 1."""
    return [f"{s + 1}: {' '.join(trace.tokens[story][s])}"[:40] for s in shown]


def _largest(values: Array) -> float:
    """The largest absolute value among the finite ones."""
    return select.largest_size(np.where(np.isfinite(values), values, 0.0))


def _numbers(n: int) -> list[str]:
    return [str(i) for i in range(n)]
