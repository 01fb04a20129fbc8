"""Traces from files: checks before they are shown, one story of a trace, its known facts and its writes.

A file may contain anything, so everything a picture relies on is checked here before it is drawn.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.sample.rows import RECORD, bank_rows
from lm2viz.story import select

# Hooks of each block behind the pictures of a bank, with their axes after story and segment.
SHOWN = {
    "hook_write_pattern": ("token", "slot"),
    "hook_gate_in_token": ("token", "dim"),
    "hook_gate_in": ("slot", "dim"),
    "hook_gate_forget": ("slot", "dim"),
    "hook_bank_pre": ("slot", "dim"),
    "hook_bank_post": ("slot", "dim"),
}
# Optional hooks behind further pictures of a report.
ALSO_SHOWN = {
    "hook_read_pattern": ("head", "token", "slot"),
    "hook_candidate": ("token", "dim"),
    "hook_write_read": ("token", "dim"),
    "hook_write_read_pattern": ("head", "token", "slot"),
}
GATES = (
    "hook_write_pattern",
    "hook_gate_in_token",
    "hook_gate_in",
    "hook_gate_forget",
)  # fractions in [0, 1]


def check_shown(trace: Trace) -> None:
    """Refuse a trace whose memory cannot be drawn.

    Raises
    ------
    UserError
        When hooks are missing or have other axes, gates are not in [0, 1], or a sentence has no words.
    """
    try:
        blocks = trace.blocks
    except (ValueError, IndexError):
        raise UserError(f"the hooks of this trace are not those of an LM2; {RECORD}") from None
    needed = {f"blocks.{b}.mem.{hook}": axes for b in blocks for hook, axes in SHOWN.items()}
    needed["hook_bank"] = ("slot", "dim")
    missing = [name for name in needed if name not in trace.arrays]
    if missing or not blocks:
        raise UserError(f"the trace lacks {', '.join(missing[:3]) or 'every block of memory'}; {RECORD}")
    also = {f"blocks.{b}.mem.{hook}": axes for b in blocks for hook, axes in ALSO_SHOWN.items()}
    for name, axes in (needed | {name: axes for name, axes in also.items() if name in trace.arrays}).items():
        own = tuple("dim" if axis == "memory_dim" else axis for axis in trace.axes[name])
        if own != ("story", "segment", *axes):
            raise UserError(f"{name} has axes {', '.join(trace.axes[name])}; it needs story, segment, "
                             f"{', '.join(axes)}")  # fmt: skip
        if trace.arrays[name].dtype.kind != "f":
            raise UserError(
                f"{name} holds {trace.arrays[name].dtype} values, but a trace holds floats; {RECORD}"
            )
        if name.endswith(GATES):
            _check_fractions(trace, name)
    if not all(story and all(story) for story in trace.tokens):
        raise UserError("a story of the trace has a sentence without words; record it again")


def _check_fractions(trace: Trace, name: str) -> None:
    array = trace.arrays[name]
    finite = array[np.isfinite(array)]
    if finite.size and (finite.min() < -1e-6 or finite.max() > 1 + 1e-6):
        raise UserError(f"{name} must be in [0, 1], got {finite.min():.3g} to {finite.max():.3g}")


def select_story(trace: Trace, story: int) -> Trace:
    """The trace of one story alone, without padding after its last sentence."""
    n_segments = len(trace.tokens[story])
    info = dict(trace.info)
    if info.get("stories"):
        info["stories"] = [info["stories"][story]]
    arrays = {
        name: array[:, :n_segments] if trace.axes[name].index("segment") == 1 else array
        for name, array in ((n, a[story : story + 1]) for n, a in trace.arrays.items())
    }
    return replace(trace, arrays=arrays, tokens=[trace.tokens[story]], info=info)


def known_facts_table(trace: Trace, labels: pd.DataFrame | None = None) -> pd.DataFrame:
    """Facts known after each sentence: one row per fact, with story, segment, fact, value and since.

    labels : a user's table (``read_labels``) instead of the facts in the trace

    Raises
    ------
    UserError
        When the facts in the trace are malformed, or a label is about a sentence that does not exist.
    """
    if not _has_whole_facts(trace):
        raise UserError("the facts in the trace are broken; record it again")
    rows = bank_rows(trace, labels)
    wide = rows.facts.assign(story=rows.story, segment=rows.segment)
    long = wide.melt(["story", "segment"], var_name="fact", value_name="value")
    since = rows.since.melt()["value"] if len(rows.since.columns) else pd.Series([], dtype=object)
    long["since"] = pd.to_numeric(since)
    return long[long["value"].notna()].reset_index(drop=True)


def _has_whole_facts(trace: Trace) -> bool:
    """Whether the trace has no facts, or for each sentence of each story ``{name: (value, since)}``."""
    stories = trace.info.get("stories")
    if not stories:
        return True
    if not isinstance(stories, list) or len(stories) != len(trace.tokens):
        return False
    return all(
        isinstance(story, dict) and "facts" in story and _are_facts(story["facts"], len(words))
        for story, words in zip(stories, trace.tokens, strict=True)
    )


def _are_facts(facts: Any, n_sentences: int) -> bool:
    return facts is None or (
        isinstance(facts, list)
        and len(facts) == n_sentences
        and all(isinstance(known, dict) and all(map(_is_fact, known.values())) for known in facts)
    )


def _is_fact(fact: Any) -> bool:
    if not isinstance(fact, list | tuple) or len(fact) != 2:
        return False
    return isinstance(fact[0], str) and isinstance(fact[1], int)


def writes_table(trace: Trace, *, story: int = 0) -> pd.DataFrame:
    """One row per word, block and slot, with the strength of the write (``select.write_strength``)."""
    tables = []
    for segment, words in enumerate(trace.tokens[story]):
        for block in trace.blocks:
            strength = select.write_strength(trace, segment, block, story=story)
            token, slot = np.indices(strength.shape)
            tables.append(
                pd.DataFrame(
                    {
                        "sentence": segment + 1,
                        "token": token.ravel(),
                        "word": np.repeat(words, strength.shape[1]),
                        "block": block,
                        "slot": slot.ravel(),
                        "share_times_input_gate": strength.ravel(),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)
