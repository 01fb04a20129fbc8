"""How far a question's attention over slots moves from one bank to another, and attention between words.

Takes traces of ``lm2core.reading.answers.ask``: one question, one segment. Attention is a fraction in [0, 1].
"""

from dataclasses import dataclass

import numpy as np

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.story.select import read_by_token


def total_variation(p: Array, q: Array) -> Array:
    """Total variation distance along the last axis, in [0, 1]: the share of attention that moved."""
    return 0.5 * np.abs(p - q).sum(axis=-1)


def distances_of_answer(before: Trace, after: Trace) -> Array:
    """How far the read of the question's last word moved, ndarray of shape (n_blocks, n_heads) in [0, 1].

    Raises
    ------
    UserError
        When the two traces are of different questions.
    """
    if before.tokens != after.tokens:
        raise UserError("the two reads are of different questions; ask both banks the same question")
    last = len(after.tokens[0][0]) - 1
    first, second = (
        trace.over_blocks("hook_read_pattern", story=0, segment=0)[:, :, last] for trace in (before, after)
    )
    return total_variation(first, second)


@dataclass(frozen=True, slots=True)
class ReadPair:
    """Attention of a question's words over slots before and after, ndarrays of shape (n_tokens, n_slots)."""

    before: Array
    after: Array

    @property
    def difference(self) -> Array:
        """After minus before; each row sums to 0."""
        return self.after - self.before

    @property
    def distances(self) -> Array:
        """Total variation of each word's read, ndarray of shape (n_tokens,) in [0, 1]."""
        return total_variation(self.before, self.after)


def read_pair(before: Trace, after: Trace, block: int | None, head: int | None) -> ReadPair:
    """The reads of one block and one head; None for the mean over them."""
    return ReadPair(read_by_token(before, block, head), read_by_token(after, block, head))


def self_attention(
    trace: Trace, segment: int, block: int | None, head: int | None, *, story: int = 0
) -> Array:
    """How each token of a segment attends to the tokens up to it, (n_tokens, n_tokens) in [0, 1].

    block : None for the mean over the blocks in the trace
    head : of self-attention; None for the mean over heads
    """
    n_tokens = len(trace.tokens[story][segment])
    names = [name for name in trace.arrays if name.endswith("attn.hook_pattern")]
    chosen = names if block is None else [f"blocks.{block}.attn.hook_pattern"]
    pattern = np.mean([trace.select(name, story=story, segment=segment) for name in chosen], axis=0)
    return (pattern.mean(axis=0) if head is None else pattern[head])[:n_tokens, :n_tokens]
