"""A bank as an exact sum of parts, one for each sentence that its content came from.

Source: docs/ARCHITECTURE.md, "The memory, exactly". A block does ``bank' = keep * bank + sum_t R_t g_t c_t``:
every part decays with ``keep`` as the bank does, and each token adds a part. The content ``c = tanh(a + W)``
is split by the Shapley value for two players into the token's own part (``a``) and what it copies from the
bank (``W``); the copy is credited to the sentences that the copied slots came from. The parts sum to the bank
whatever the split.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.progress import track
from lm2viz.provenance.stream import bank_shares_of_stream

_SATURATED = 1 - 1e-12  # arctanh(1) is infinite


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The parts of a bank, ndarrays of shape (n_sources, n_slots, n_dims).

    Sources are all sentences of the story (zeros for later ones), then the start bank. ``written`` and
    ``direct + indirect`` both sum to the bank over sources.

    written : by the sentence that wrote the content
    direct : by the sentence that the content originates from, written by that sentence
    indirect : by the sentence that the content originates from, copied from slot to slot since
    """

    written: Array
    direct: Array
    indirect: Array

    def error(self, bank: Array) -> float:
        """Largest absolute difference between the sums and ``bank``, whose values are of order one."""
        sums = self.written.sum(axis=0), (self.direct + self.indirect).sum(axis=0)
        return float(np.max([np.abs(total - bank) for total in sums]))


def shares(parts: Array, sum_of_parts: Array) -> Array:
    """Signed share of each part in each slot, ``<part, sum> / <sum, sum>``, (n_sources, n_slots).

    Shares sum to 1 over sources; NaN for an empty slot. ``sum_of_parts`` is (n_slots, n_dims).
    """
    size = (sum_of_parts**2).sum(axis=-1)
    share: Array = np.einsum("snd,nd->sn", parts, sum_of_parts) / np.where(size > 0, size, np.nan)
    return share


def decompositions(trace: Trace, story: int, n_read: int, follow: str) -> Iterator[Decomposition]:
    """The parts after each of the first ``n_read`` sentences.

    follow : "copies" follows what a token copies from other slots as it writes; "stream" also follows what
        it has read into its residual stream before, in this and earlier blocks
    """
    first = trace.blocks[0]
    start = trace.select(f"blocks.{first}.mem.hook_bank_pre", story=story, segment=0).astype(float)
    written = np.zeros((len(trace.tokens[story]) + 1, *start.shape))
    written[-1] = start
    parts = Decomposition(written, written.copy(), np.zeros_like(written))
    for segment in track(range(n_read), "unrolling slots", "sentence"):
        slots = _slot_sources(parts)
        token_part = None
        if follow == "stream":
            token_part = bank_shares_of_stream(trace, story, segment, slots)
        for block in trace.blocks:
            write = _Write.of(trace, story, segment, block)
            parts = _after(
                parts, write, segment, _slot_sources(parts), None if token_part is None else token_part[block]
            )
        yield parts


def last_decomposition(trace: Trace, story: int, n_read: int, follow: str) -> Decomposition:
    """The parts after ``n_read`` sentences; those after earlier ones are not kept: they are large."""
    (parts,) = deque(decompositions(trace, story, n_read, follow), maxlen=1)
    return parts


def token_shares(trace: Trace, story: int, n_read: int) -> Iterator[tuple[int, int, Array]]:
    """Share of the bank after ``n_read`` sentences that each token wrote, latest sentence first.

    Yields ``(segment, block, shares)`` with shares of shape (n_tokens, n_slots). Together with the share of
    the start bank they sum to 1.
    """
    bank = trace.select("hook_bank", story=story, segment=n_read - 1).astype(float)
    survives = np.ones_like(bank)
    for segment in reversed(range(n_read)):
        for block in reversed(trace.blocks):
            write = _Write.of(trace, story, segment, block)
            parts = write.routing[:, :, None] * (write.gate * write.content)[:, None] * survives
            yield segment, block, shares(parts, bank)
            survives = survives * write.keep


@dataclass(frozen=True, slots=True)
class _Write:
    """One block's write of one sentence, without padding.

    routing : (n_tokens, n_slots), share of each token in a slot's update
    gate, content, copied : (n_tokens, n_dims); ``copied`` is the bank's Shapley value in ``content``
    keep : (n_slots, n_dims)
    pattern : (n_heads, n_tokens, n_slots), attention of the read that gives ``W``
    """

    routing: Array
    gate: Array
    content: Array
    copied: Array
    keep: Array
    pattern: Array

    @classmethod
    def of(cls, trace: Trace, story: int, segment: int, block: int) -> "_Write":
        n_tokens = len(trace.tokens[story][segment])

        def hook(name: str) -> Array:
            array = trace.select(f"blocks.{block}.mem.{name}", story=story, segment=segment)
            return array.astype(float)

        content, read = hook("hook_candidate")[:n_tokens], hook("hook_write_read")[:n_tokens]
        own = np.arctanh(np.clip(content, -_SATURATED, _SATURATED)) - read
        return cls(
            routing=trace.write_shares(block, story=story, segment=segment, dtype=float),
            gate=hook("hook_gate_in_token")[:n_tokens],
            content=content,
            copied=(np.tanh(read) + content - np.tanh(own)) / 2,
            keep=hook("hook_gate_forget"),
            pattern=hook("hook_write_read_pattern")[:, :n_tokens],
        )

    def to_slots(self, sent: Array) -> Array:
        """What slots receive when tokens send (..., n_tokens, n_dims), an array (..., n_slots, n_dims)."""
        reached: Array = self.routing.T @ (self.gate * sent)
        return reached


def _after(
    parts: Decomposition, write: _Write, segment: int, slots: Array, token_part: Array | None
) -> Decomposition:
    """The parts after one block's write.

    slots : (n_slots, n_sources), see ``_slot_sources``
    token_part : (n_tokens, n_sources), share of the tokens' streams that came from the bank; None: ignored
    """
    written, direct, indirect = (x * write.keep for x in (parts.written, parts.direct, parts.indirect))
    written[segment] += write.to_slots(write.content)
    n_heads = len(write.pattern)
    # (n_sources, n_tokens, n_dims): a head's shares apply to the dimensions that it copies
    taken = np.repeat((write.pattern @ slots).transpose(2, 1, 0), write.copied.shape[1] // n_heads, axis=-1)
    indirect += write.to_slots(taken * write.copied)
    own = write.content - write.copied
    if token_part is not None:
        indirect += write.to_slots(token_part.T[:, :, None] * own)
        own = own * (1 - token_part.sum(axis=1, keepdims=True))
    direct[segment] += write.to_slots(own)
    return Decomposition(written, direct, indirect)


def _slot_sources(parts: Decomposition) -> Array:
    """The sources that a copy of each slot is credited to: positive shares with sum 1, (n_slots, n_sources).

    A slot without positive shares is credited to the start bank.
    """
    came = parts.direct + parts.indirect
    positive = np.maximum(np.einsum("snd,nd->ns", came, came.sum(axis=0)), 0.0)
    positive[positive.sum(axis=1) == 0, -1] = 1.0
    scaled: Array = positive / positive.sum(axis=1, keepdims=True)
    return scaled
