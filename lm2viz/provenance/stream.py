"""How much of each token's residual stream came from the bank, and from which sentences.

An estimate, unlike the sums in parts.py: a term's share of the stream is ``<term, sum> / <sum, sum>``,
clipped to [0, 1]; self-attention mixes the shares of the tokens attended to (mean over heads); the MLP leaves
shares unchanged.
"""

import numpy as np

from lm2core.traces.trace import Trace
from lm2viz.arrays import Array


def bank_shares_of_stream(trace: Trace, story: int, segment: int, slots: Array) -> dict[int, Array]:
    """Share of each source in the stream that each block writes from, by block: (n_tokens, n_sources).

    slots : (n_slots, n_sources), the sources of each slot before this sentence; rows sum to 1

    Shares sum to at most 1; the rest comes from the sentence itself.
    """
    n_tokens = len(trace.tokens[story][segment])
    came = np.zeros((n_tokens, slots.shape[1]))
    at_write = {}

    def hook(name: str) -> Array:
        return trace.select(f"blocks.{block}.{name}", story=story, segment=segment).astype(float)

    for block in range(trace.blocks[-1] + 1):
        stream, attended = hook("hook_resid_pre")[:n_tokens], hook("hook_attn_out")[:n_tokens]
        pattern = hook("attn.hook_pattern").mean(axis=0)[:n_tokens, :n_tokens]
        share = _share(attended, stream)
        came = (1 - share) * came + share * (pattern @ came)
        if block not in trace.blocks:
            continue
        read = hook("hook_mem_out")[:n_tokens]
        share = _share(read, stream + attended)
        taken = _by_head(read, hook("mem.hook_read_pattern")[:, :n_tokens]) @ slots
        came = (1 - share) * came + share * taken
        at_write[block] = came
    return at_write


def _share(term: Array, rest: Array) -> Array:
    """Share of ``term`` in ``term + rest``, (n_tokens, 1) in [0, 1]; 0 where the sum is zero."""
    total = term + rest
    size = (total**2).sum(axis=-1, keepdims=True)
    product = (term * total).sum(axis=-1, keepdims=True)
    return np.clip(np.divide(product, size, out=np.zeros_like(size), where=size > 0), 0.0, 1.0)


def _by_head(read: Array, pattern: Array) -> Array:
    """The read pattern, averaged over heads weighted by the energy of their output, (n_tokens, n_slots)."""
    n_heads, n_tokens, _ = pattern.shape
    energy = (read.reshape(n_tokens, n_heads, -1) ** 2).sum(axis=-1)
    total = energy.sum(axis=-1, keepdims=True)
    weight = np.divide(energy, total, out=np.full_like(energy, 1 / n_heads), where=total > 0)
    mixed: Array = np.einsum("th,htn->tn", weight, pattern)
    return mixed
