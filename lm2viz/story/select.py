"""From a trace to the small arrays that pictures show; the only module that reshapes.

Gates and shares are fractions in [0, 1]; a gate with a value per dimension is averaged over the width.
"""

from dataclasses import dataclass

import numpy as np

from lm2core.traces.trace import Trace
from lm2viz.arrays import Array


def words_of(trace: Trace, segment: int, *, story: int = 0) -> list[str]:
    """The tokens of a segment, each prefixed with its index, since a word may occur twice."""
    return [f"{i}:{word}" for i, word in enumerate(trace.tokens[story][segment])]


def write_strength(trace: Trace, segment: int, block: int, *, story: int = 0) -> Array:
    """How strongly each token wrote to each slot, ndarray of shape (n_tokens, n_slots) in [0, 1].

    The token's share of the slot's update times its input gate (mean over the width). The sum over tokens is
    the slot's input gate as in ``slot_gates``.
    """
    where = {"story": story, "segment": segment}
    n_tokens = len(trace.tokens[story][segment])
    shares = trace.write_shares(block, story=story, segment=segment)
    gate = trace.select(f"blocks.{block}.mem.hook_gate_in_token", **where)[:n_tokens].mean(axis=-1)
    return shares * gate[:, None]


def slot_gates(trace: Trace, segment: int, *, story: int = 0) -> tuple[Array, Array]:
    """Input gate and forget gate of each slot, two ndarrays of shape (n_blocks, n_slots) in [0, 1]."""
    where = {"story": story, "segment": segment}
    input_gate = trace.over_blocks("hook_gate_in", **where).mean(axis=-1)
    return input_gate, trace.over_blocks("hook_gate_forget", **where).mean(axis=-1)


def keep_by_sentence(trace: Trace, segment: int, *, story: int = 0) -> Array:
    """Share of each slot's content that is kept after all blocks have written, (n_slots,) in [0, 1].

    Forget gates are multiplied over blocks in every dimension, then averaged over the width.
    """
    keep = trace.over_blocks("hook_gate_forget", story=story, segment=segment)
    share: Array = keep.prod(axis=0).mean(axis=-1)
    return share


def slot_change(trace: Trace, segment: int, *, story: int = 0) -> Array:
    """Change of each slot by each block, (n_blocks, n_slots): root mean square over the width, up to 1."""
    where = {"story": story, "segment": segment}
    return size_of(trace.over_blocks("hook_bank_post", **where) - trace.over_blocks("hook_bank_pre", **where))


def size_of(change: Array) -> Array:
    """Size of a change of slots: root mean square over the width, capped at 1."""
    size: Array = np.minimum(np.sqrt((change**2).mean(axis=-1)), 1.0)
    return size


def bank_before_after(trace: Trace, segment: int, *, story: int = 0) -> tuple[Array, Array, Array]:
    """Bank before the first and after the last block writes, and the difference, each (n_slots, n_dims)."""
    where = {"story": story, "segment": segment}
    first, last = trace.blocks[0], trace.blocks[-1]
    before = trace.select(f"blocks.{first}.mem.hook_bank_pre", **where)
    after = trace.select(f"blocks.{last}.mem.hook_bank_post", **where)
    return before, after, after - before


def largest_size(*arrays: Array) -> float:
    """The largest absolute value: the limit of a shared scale that is symmetric about 0."""
    return float(max(np.abs(array).max() for array in arrays))


def read_by_token(
    trace: Trace, block: int | None, head: int | None, *, story: int = 0, segment: int = 0
) -> Array:
    """Attention of each token over slots, shape (n_tokens, n_slots).

    block, head : None for the mean over blocks with memory, or over heads
    """
    n_tokens, where = len(trace.tokens[story][segment]), {"story": story, "segment": segment}
    if block is None:
        pattern = trace.over_blocks("hook_read_pattern", **where).mean(axis=0)
    else:
        pattern = trace.select(f"blocks.{block}.mem.hook_read_pattern", **where)
    return (pattern.mean(axis=0) if head is None else pattern[head])[:n_tokens]


def read_by_head(trace: Trace, token: int, *, story: int = 0, segment: int = 0) -> tuple[Array, list[str]]:
    """Attention of one token over slots, (n_blocks * n_heads, n_slots), and the name of each row."""
    pattern = trace.over_blocks("hook_read_pattern", story=story, segment=segment)[:, :, token]
    names = [f"block {b} head {h}" for b in trace.blocks for h in range(pattern.shape[1])]
    return pattern.reshape(-1, pattern.shape[-1]), names


def slot_history(trace: Trace, slot: int, *, story: int = 0) -> Array:
    """Input gate of one slot over the story, shape (n_blocks, n_segments) in [0, 1]."""
    return trace.over_blocks("hook_gate_in", story=story, slot=slot).mean(axis=-1)


@dataclass(frozen=True, slots=True)
class Writer:
    """A token that wrote to a slot, with its ``write_strength``."""

    segment: int
    block: int
    word: str
    strength: float


def top_writers(trace: Trace, slot: int, *, until: int, n: int = 8, story: int = 0) -> list[Writer]:
    """The ``n`` tokens of the first ``until`` segments that wrote most to ``slot``, strongest first."""
    writers = [
        Writer(segment, block, word, float(strength))
        for segment in range(until)
        for block in trace.blocks
        for word, strength in zip(
            trace.tokens[story][segment],
            write_strength(trace, segment, block, story=story)[:, slot],
            strict=True,
        )
    ]
    return sorted(writers, key=lambda w: -w.strength)[:n]
