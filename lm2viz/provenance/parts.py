"""A bank as an exact sum over the sentences that what it holds came from.

Source: docs/ARCHITECTURE.md, "The memory, exactly". A block does ``bank' = keep * bank + sum_t R_t g_t c_t``:
a part of the bank fades with ``keep`` as the bank does, and each token adds a part of its own. The content
``c = tanh(a + W)`` is split by Shapley's value for two players into what the token says (``a``) and what it
copies out of the bank (``W``); the copy goes to the sentences that the slots it was taken from came from.
However it is split, the parts sum to the bank.
"""

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
    """What a bank is the sum of; each is an ndarray of shape (n_sources, n_slots, n_dims).

    Sources are all sentences of the story, later ones with zeros, and last the start bank.

    written : by the sentence that wrote it
    direct : by the sentence that said it, put there by this sentence itself
    indirect : by the sentence that said it, copied from slot to slot since
    ``written`` and ``direct + indirect`` both sum to the bank.
    """

    written: Array
    direct: Array
    indirect: Array

    def error(self, bank: Array) -> float:
        """Largest size of what the sums miss of ``bank``, in its own unit; its values are about one."""
        sums = self.written.sum(axis=0), (self.direct + self.indirect).sum(axis=0)
        return float(np.max([np.abs(total - bank) for total in sums]))


def shares(parts: Array, sum_of_parts: Array) -> Array:
    """Share of each part in each slot, signed, ``<part, whole> / <whole, whole>``, (n_sources, n_slots).

    Over sources they sum to 1. NaN where a slot is empty. ``whole`` is (n_slots, n_dims).
    """
    size = (sum_of_parts**2).sum(axis=-1)
    result: Array = np.einsum("snd,nd->sn", parts, sum_of_parts) / np.where(size > 0, size, np.nan)
    return result


def decompositions(trace: Trace, story: int, n_read: int, follow: str) -> Iterator[Decomposition]:
    """The parts after each of the first ``n_read`` sentences.

    follow : "copies" follows what a writing token copies into a slot out of others; "stream" also what it had
        read into its stream before, in this and earlier blocks
    """
    first = trace.blocks[0]
    start = trace.select(f"blocks.{first}.mem.hook_bank_pre", story=story, segment=0).astype(float)
    written = np.zeros((len(trace.tokens[story]) + 1, *start.shape))
    written[-1] = start
    parts = Decomposition(written, written.copy(), np.zeros_like(written))
    for segment in track(range(n_read), "following contents", "sentence"):
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


def token_shares(trace: Trace, story: int, n_read: int) -> Iterator[tuple[int, int, Array]]:
    """Share that each token wrote of the bank after ``n_read`` sentences, latest first.

    Yields ``(segment, block, shares)`` with shares of shape (n_tokens, n_slots). They and the share of the
    start bank sum to 1.
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

    routing : (n_tokens, n_slots), how much of a slot's update a token brings
    gate, content, copied : (n_tokens, n_dims); ``copied`` is Shapley's share of the bank in ``content``
    keep : (n_slots, n_dims)
    pattern : (n_heads, n_tokens, n_slots), of the look that finds ``W``
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

        content, looked = hook("hook_candidate")[:n_tokens], hook("hook_write_read")[:n_tokens]
        summary_text = np.arctanh(np.clip(content, -_SATURATED, _SATURATED)) - looked
        return cls(
            routing=trace.write_shares(block, story=story, segment=segment, dtype=float),
            gate=hook("hook_gate_in_token")[:n_tokens],
            content=content,
            copied=(np.tanh(looked) + content - np.tanh(summary_text)) / 2,
            keep=hook("hook_gate_forget"),
            pattern=hook("hook_write_read_pattern")[:, :n_tokens],
        )

    def to_slots(self, sent: Array) -> Array:
        """What reaches the slots of what tokens send, (..., n_tokens, n_dims) to (..., n_slots, n_dims)."""
        reached: Array = self.routing.T @ (self.gate * sent)
        return reached


def _after(
    parts: Decomposition, write: _Write, segment: int, slots: Array, token_part: Array | None
) -> Decomposition:
    """The parts after one block's write.

    slots : (n_slots, n_sources), see ``_slot_sources``
    own : (n_tokens, n_sources), share of the tokens' streams that came out of the bank; None: nothing
    """
    written, direct, indirect = (x * write.keep for x in (parts.written, parts.direct, parts.indirect))
    written[segment] += write.to_slots(write.content)
    n_heads = len(write.pattern)
    # (n_sources, n_tokens, n_dims): a head's share holds for the dimensions that this head copies
    taken = np.repeat((write.pattern @ slots).transpose(2, 1, 0), write.copied.shape[1] // n_heads, axis=-1)
    indirect += write.to_slots(taken * write.copied)
    summary_text = write.content - write.copied
    if token_part is not None:
        indirect += write.to_slots(token_part.T[:, :, None] * summary_text)
        summary_text = summary_text * (1 - token_part.sum(axis=1, keepdims=True))
    direct[segment] += write.to_slots(summary_text)
    return Decomposition(written, direct, indirect)


def _slot_sources(parts: Decomposition) -> Array:
    """What a copy of each slot counts as: positive shares, scaled to sum 1; (n_slots, n_sources).

    A slot without any counts as start bank.
    """
    came = parts.direct + parts.indirect
    positive = np.maximum(np.einsum("snd,nd->ns", came, came.sum(axis=0)), 0.0)
    positive[positive.sum(axis=1) == 0, -1] = 1.0
    scaled: Array = positive / positive.sum(axis=1, keepdims=True)
    return scaled
