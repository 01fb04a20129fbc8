"""ARMT's associative memory: a matrix from which tokens read by key, written by the delta rule.

Source: Rodkin et al. 2024, arXiv:2407.04841, section 2; the features of keys are DPFP's (Schlag et al. 2021,
arXiv:2102.11174, section 5.3). The matrix A (D,F) and the vector z (F,) that normalises its reads are one
tensor (F,D+1): z is its last column. Axes: see memory.py, plus K width of a key, F = 2 NU K features of a
key, and C = D + 1.

Two choices of ours: the share by which z grows is kept in [0, 1], so that z cannot become negative; and keys
are layer-normed, because a feature is a product of two of a key's elements and would vary with their square.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

NU = 3  # products of each element of a key with so many of its neighbours: DPFP-3, as in the paper
EPS = 1e-3  # the squared length of a key's features is about K: a value is read as it was written


def key_features(key_BTK: Tensor) -> Tensor:
    """Non-negative features (B,T,F) of keys: products of rectified elements at distances of 1 to NU."""
    normed = layer_norm(key_BTK, key_BTK.shape[-1:])
    halves = torch.cat([normed, -normed], -1).relu()
    return torch.cat([halves * halves.roll(distance, -1) for distance in range(1, NU + 1)], -1)


def read(matrix_BFC: Tensor, features_BTF: Tensor) -> Tensor:
    """What the keys hold, (B,T,D): ``A f / (z f)``, zero where nothing was written."""
    found_BTC = features_BTF @ matrix_BFC
    return found_BTC[..., :-1] / (found_BTC[..., -1:] + EPS)


def write(matrix_BFC: Tensor, features_BNF: Tensor, values_BND: Tensor, strength_BN1: Tensor) -> Tensor:
    """The matrix after N memory tokens were written, each beside what its key held before all of them.

    ``A += strength (value - held) f`` and ``z += new f``; ``new`` is the share of the key that z lacks, and
    ``strength`` is in [0, 1].
    """
    weight_BN1 = features_BNF @ matrix_BFC[..., -1:]
    new_BN1 = (1 - weight_BN1 / (features_BNF.square().sum(-1, keepdim=True) + EPS)).clamp(0, 1)
    change_BND = strength_BN1 * (values_BND - read(matrix_BFC, features_BNF))
    return matrix_BFC + features_BNF.mT @ torch.cat([change_BND, new_BN1], -1)


class AssociativeMemory(nn.Module):
    """The maps of one layer: tokens to the keys they read, memory tokens to keys, values and strengths."""

    def __init__(self, width: int, key_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, key_size, bias=False)
        self.key = nn.Linear(width, key_size, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.strength = nn.Linear(width, 1)

    def read(self, matrix_BFC: Tensor, x_BTD: Tensor) -> Tensor:
        """What tokens read, (B,T,D)."""
        return read(matrix_BFC, key_features(self.query(x_BTD)))

    def write(self, matrix_BFC: Tensor, x_BND: Tensor) -> Tensor:
        """The matrix after memory tokens were written."""
        strength_BN1 = self.strength(x_BND).sigmoid()
        return write(matrix_BFC, key_features(self.key(x_BND)), self.value(x_BND), strength_BN1)


def n_features(key_size: int) -> int:
    """F: features of a key."""
    return 2 * NU * key_size
