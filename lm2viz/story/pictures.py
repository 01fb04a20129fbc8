"""The pictures of one story in a trace: each with its caption, its finding in words, its numbers.

The app draws them and writes out how, a report puts them on one page. Sentences count from 0 here and from 1
in what is shown.
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
    """A figure and the line that says what one looks at.

    alt : the finding in words
    table : the numbers that are drawn
    """

    figure: go.Figure
    caption: str
    alt: str
    table: pd.DataFrame


def writes(trace: Trace, segment: int, block: int, *, story: int = 0) -> Picture:
    """How far each word of a sentence opened each slot, in one block."""
    strength = select.write_strength(trace, segment, block, story=story)
    return _fractions(
        strength,
        rows=select.words_of(trace, segment, story=story),
        title=f"Who wrote where, block {block}",
        unit="share × input gate",
        alt=f"Words of the sentence by slots, block {block}: strongest {strength.max():.2f}",
        caption="A bright cell: this word opened this slot and wrote to it.",
    )


def gates(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """Input gate, forget gate and change of every slot, block by block."""
    opened, retained = select.slot_gates(trace, segment, story=story)
    panels = {
        "Input gate: bright let new content in": opened,
        "Forget gate: dark erased what was there": retained,
        "Change: bright now holds something else": select.slot_change(trace, segment, story=story),
    }
    rows, columns = [f"block {block}" for block in trace.blocks], _numbers(opened.shape[1])
    tables = [pd.DataFrame(values, rows, columns) for values in panels.values()]
    return Picture(
        stacked_fractions(panels, rows=rows, columns=columns),
        "Every slot after the sentence, block by block. A block's input gate is the sum over words of share "
        "times input gate; change is the root mean square over the slot's width, drawn up to 1.",
        f"By block and slot: input gate up to {opened.max():.2f}, kept down to {retained.min():.2f}",
        pd.concat(tables, keys=["input gate", "forget gate", "change"]),
    )


def reads_of_last_word(trace: Trace, *, story: int = 0, segment: int = 0) -> Picture:
    """Where the last word of a sentence or question looked, for every block and head."""
    token = len(trace.tokens[story][segment]) - 1
    pattern, rows = select.read_by_head(trace, token, story=story, segment=segment)
    return _fractions(
        pattern,
        rows=rows,
        title="Where the last word looked",
        unit="attention",
        alt="Attention of the last word over slots, one row per block and head",
        caption=f"A bright cell: what this head adds to the word comes from this slot. {ROWS_SUM_TO_1}",
    )


def reads_of_words(trace: Trace, block: int, *, story: int = 0, segment: int = 0) -> Picture:
    """Where each word of a sentence or question looked, in one block."""
    return _fractions(
        select.read_by_token(trace, block, head=None, story=story, segment=segment),
        rows=select.words_of(trace, segment, story=story),
        title=f"Where each word looked, block {block}, mean over heads",
        unit="attention",
        alt=f"Attention of each word over slots in block {block}",
        caption=f"A bright cell: this word read this slot. {ROWS_SUM_TO_1}",
    )


def bank(trace: Trace, segment: int, *, story: int = 0) -> dict[str, Picture]:
    """What a sentence changed in the bank, and the bank "before" and "after" it, on one scale."""
    before, after, difference = select.bank_before_after(trace, segment, story=story)
    limit = max(_largest(before), _largest(after)) or 1.0
    return {
        "difference": _signed(difference, "What the sentence changed: after minus before", limit),
        "before": _signed(before, "The bank before the sentence", limit),
        "after": _signed(after, "The bank after the sentence", limit),
    }


def bank_difference(unedited: Trace, segment: int, edited: Trace, edited_segment: int) -> Picture:
    """What a run with other gates has in its bank after a sentence, minus what the run itself has."""
    after, instead = (
        select.bank_before_after(trace, s)[1] for trace, s in ((unedited, segment), (edited, edited_segment))
    )
    difference, title = instead - after, "What the moved gates change of the whole bank"
    return _signed(difference, title, _largest(difference) or 1.0)


def bank_alone(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """The bank after a sentence, of a trace that has no more of it."""
    after = trace.select("hook_bank", story=story, segment=segment)
    return _signed(after, "The bank after the sentence", _largest(after) or 1.0)


def history(trace: Trace, slot: int, *, story: int = 0) -> Picture:
    """One slot's input gate through the story."""
    opened = select.slot_history(trace, slot, story=story)[:, : len(trace.tokens[story])]
    return _fractions(
        opened,
        rows=[f"block {block}" for block in trace.blocks],
        columns=[str(i + 1) for i in range(opened.shape[1])],
        column_title="sentence",
        title=f"Input gate of slot {slot} at every sentence",
        unit="gate",
        alt=f"Input gate of slot {slot} by block and sentence, largest {opened.max():.2f}",
        caption="Bright: this sentence wrote to the slot.",
    )


def gates_over_story(trace: Trace, shown: Sequence[int], *, story: int = 0) -> dict[str, Picture]:
    """What the ``shown`` sentences wrote to each slot and left in it."""
    opened = [select.slot_gates(trace, segment, story=story)[0].mean(axis=0) for segment in shown]
    return {
        "written": _by_sentence(
            trace,
            shown,
            story,
            np.stack(opened),
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
            title="What each sentence left of what was there",
            unit="kept share",
            caption="Dark: the slot's old content was erased (kept shares of all blocks multiplied, "
            "mean over the width).",
        ),
    }


def slot_changes_over_story(trace: Trace, shown: Sequence[int], *, story: int = 0) -> Picture:
    """How far the ``shown`` sentences changed each slot."""
    edited = [select.size_of(select.bank_before_after(trace, segment, story=story)[2]) for segment in shown]
    return _by_sentence(
        trace,
        shown,
        story,
        np.stack(edited),
        title="Which sentence changed which slot",
        unit="change",
        caption="Bright: the slot holds something else than before the sentence (root mean square over its "
        "width, drawn up to 1).",
    )


def origins(trace: Trace, segment: int, *, story: int = 0) -> Picture:
    """From which sentence the content of each slot came; see ``provenance.unroll``."""
    origin, error = slot_origins(trace, story, segment)
    sources = [*_sentences(trace, range(segment + 1), story), START]
    return Picture(
        share_heatmap(origin, sources, "Where each slot's content came from"),
        "How much of each slot's content came from each sentence, directly or over other slots; columns sum "
        f"to 1. If all were equal: {1 / len(sources):.0%}. The sums miss at most {error:.1e} of any value of "
        "the bank.",
        "Shares of each slot's content by sentence",
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
        "One row is one slot. Blue is positive, red negative, white zero. Cells that are not "
        "numbers stay empty.",
        f"{title}: slots by dimensions, largest size {_largest(values):.2f}",
        pd.DataFrame(values, rows, columns),
    )


def _by_sentence(
    trace: Trace, shown: Sequence[int], story: int, values: Array, *, title: str, unit: str, caption: str
) -> Picture:
    """Sentences by slots, with room for sentences beside the rows."""
    rows, alt = _sentences(trace, shown, story), f"{title}: sentences by slots"
    picture = _fractions(values, rows=rows, title=title, unit=unit, alt=alt, caption=caption)
    picture.figure.update_layout(margin={"l": 290})
    return picture


def _sentences(trace: Trace, shown: Sequence[int], story: int) -> list[str]:
    """Counted from 1, as they stand beside rows."""
    return [f"{s + 1}: {' '.join(trace.tokens[story][s])}"[:40] for s in shown]


def _largest(values: Array) -> float:
    """The largest size of what is finite."""
    return select.largest_size(np.where(np.isfinite(values), values, 0.0))


def _numbers(n: int) -> list[str]:
    return [str(i) for i in range(n)]
