"""Plain measures of banks and gates: effective rank, similarity of slots, half-life."""

import numpy as np
from scipy.stats import entropy

from lm2viz.arrays import Array

LEAST_SHARE = 1e-6  # less than this kept, or lost, in a sentence counts as this much kept, or as nothing lost


def effective_rank(banks: Array) -> Array:
    """How many directions a bank uses: exp of the entropy of its singular values, each by their sum.

    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".

    Parameters
    ----------
    banks : ndarray of shape (..., n_slots, n_dims)

    Returns
    -------
    ndarray of shape (...)
        From 1, all slots along one line, to min(n_slots, n_dims), orthogonal slots of one length. A bank of
        zeros has 0/0 shares; its effective rank is 0, since it uses no direction.
    """
    sizes = np.linalg.svd(banks.astype(float), compute_uv=False)
    is_zero = sizes.sum(axis=-1) == 0
    ranks = np.exp(entropy(np.where(is_zero[..., None], 1.0, sizes), axis=-1))
    return np.asarray(np.where(is_zero, 0.0, ranks))


def slot_similarity(banks: Array) -> Array:
    """Cosine between the slots of each bank, in [-1, 1].

    Parameters
    ----------
    banks : ndarray of shape (..., n_slots, n_dims)

    Returns
    -------
    ndarray of shape (..., n_slots, n_slots)
        A slot of zeros has the cosine 0/0 with any slot, itself included; it is 0 here: it repeats nothing.
    """
    lengths = np.linalg.norm(banks.astype(float), axis=-1, keepdims=True)
    units = banks / np.where(lengths == 0, 1.0, lengths)
    return np.asarray(np.clip(units @ np.swapaxes(units, -1, -2), -1.0, 1.0))


def redundancy(similarity: Array) -> Array:
    """Mean size of the cosine over pairs of different slots, in [0, 1]: 0 orthogonal, 1 all on one line.

    similarity : ndarray of shape (..., n_slots, n_slots), at least two slots
    """
    n_slots = similarity.shape[-1]
    off_diagonal = np.abs(similarity)[..., ~np.eye(n_slots, dtype=bool)]
    return np.asarray(off_diagonal.mean(axis=-1))


def half_life(keep: Array) -> Array:
    """Sentences after which half of a content is left, if each keeps the share ``kept`` of what was there.

    Infinite where no more than ``LEAST_SHARE`` is lost in a sentence. ``kept`` should be a mean of shares
    and not of their logarithms: one whole overwriting would outweigh everything else.
    """
    lost = -np.log(np.clip(keep, LEAST_SHARE, 1.0))
    is_kept = lost <= LEAST_SHARE
    return np.asarray(np.where(is_kept, np.inf, np.log(2) / np.where(is_kept, 1.0, lost)))


def fresh_bank(n_slots: int, n_dims: int) -> Array:
    """The bank before anything was read: rows of the identity, from the first again after the last."""
    return np.asarray(np.eye(n_dims)[np.arange(n_slots) % n_dims])
