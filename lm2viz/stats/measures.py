"""Measures of banks and gates: effective rank, similarity between slots, half-life."""

import numpy as np
from scipy.stats import entropy

from lm2viz.arrays import Array

LEAST_SHARE = 1e-6  # per sentence: a smaller share kept counts as this much, a smaller share lost as none


def effective_rank(banks: Array) -> Array:
    """Number of directions that a bank uses: exp of the entropy of its normalised singular values.

    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".

    Parameters
    ----------
    banks : ndarray of shape (..., n_slots, n_dims)

    Returns
    -------
    ndarray of shape (...)
        From 1 (all slots on one line) to min(n_slots, n_dims) (orthogonal slots of equal length). 0 for a
        bank of zeros, which uses no direction.
    """
    sizes = np.linalg.svd(banks.astype(float), compute_uv=False)
    is_zero = sizes.sum(axis=-1) == 0
    ranks = np.exp(entropy(np.where(is_zero[..., None], 1.0, sizes), axis=-1))
    return np.asarray(np.where(is_zero, 0.0, ranks))


def slot_similarity(banks: Array) -> Array:
    """Cosine similarity between the slots of each bank, in [-1, 1].

    Parameters
    ----------
    banks : ndarray of shape (..., n_slots, n_dims)

    Returns
    -------
    ndarray of shape (..., n_slots, n_slots)
        0 for a slot of zeros with any slot, itself included, where the cosine is undefined.
    """
    lengths = np.linalg.norm(banks.astype(float), axis=-1, keepdims=True)
    units = banks / np.where(lengths == 0, 1.0, lengths)
    return np.asarray(np.clip(units @ np.swapaxes(units, -1, -2), -1.0, 1.0))


def redundancy(similarity: Array) -> Array:
    """Mean absolute cosine over pairs of different slots, in [0, 1]: 0 orthogonal, 1 all on one line.

    similarity : ndarray of shape (..., n_slots, n_slots), at least two slots
    """
    n_slots = similarity.shape[-1]
    off_diagonal = np.abs(similarity)[..., ~np.eye(n_slots, dtype=bool)]
    return np.asarray(off_diagonal.mean(axis=-1))


def half_life(keep: Array) -> Array:
    """Sentences after which half of a slot's content is left, if each sentence keeps the share ``keep``.

    Infinite where a sentence loses no more than ``LEAST_SHARE``. Pass a mean of shares, not of their
    logarithms, in which a single complete overwrite would outweigh everything else.

    keep : shares in [0, 1], of any shape
    """
    lost = -np.log(np.clip(keep, LEAST_SHARE, 1.0))
    is_kept = lost <= LEAST_SHARE
    return np.asarray(np.where(is_kept, np.inf, np.log(2) / np.where(is_kept, 1.0, lost)))


def fresh_bank(n_slots: int, n_dims: int) -> Array:
    """The bank before anything was written: rows of the identity, repeated if n_slots exceeds n_dims."""
    return np.asarray(np.eye(n_dims)[np.arange(n_slots) % n_dims])
