"""A subspace inside slots of the bank: read, exchanged between banks, moved, erased.

Axes: B bank, N slot of the bank, n slot of the subspace, D width, K dimension of the subspace, V number: the
values n*D of its slots side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.causal.erase import Eraser
from lm2viz.causal.interchange_banks import check_slots

MOST_DIMS = 32


@dataclass(frozen=True, slots=True)
class Subspace:
    """Orthonormal directions in the values of some slots.

    slots : in the order in which their values stand side by side
    basis : (V,K), columns of length 1 at right angles
    """

    slots: tuple[int, ...]
    basis: Tensor = field(repr=False)

    @property
    def n_dims(self) -> int:
        """The number of dimensions."""
        return self.basis.shape[1]

    @property
    def share_by_slot(self) -> dict[int, float]:
        """How much of the subspace lies in each slot, in [0, 1]; together 1."""
        shares = self.basis.square().reshape(len(self.slots), -1).sum(1) / self.n_dims
        return dict(zip(self.slots, shares.tolist(), strict=True))

    def values(self, banks_BND: Tensor) -> Tensor:
        """What the slots hold, (B,V)."""
        return banks_BND[:, list(self.slots)].flatten(1)

    def coordinates(self, banks_BND: Tensor) -> Tensor:
        """Where the slots are in the subspace, (B,K)."""
        return self.values(banks_BND) @ self.basis

    def moved_to(self, banks_BND: Tensor, coordinates_BK: Tensor) -> Tensor:
        """The banks (B,N,D) with these coordinates, and with all else as it was."""
        values_BV = self.values(banks_BND)
        values_BV = values_BV + (coordinates_BK - values_BV @ self.basis) @ self.basis.T
        return self.with_values(banks_BND, values_BV)

    def exchanged(self, base_BND: Tensor, donor_BND: Tensor) -> Tensor:
        """The base's banks (B,N,D) with the donor's coordinates."""
        return self.moved_to(base_BND, self.coordinates(donor_BND))

    def with_values(self, banks_BND: Tensor, values_BV: Tensor) -> Tensor:
        """The banks (B,N,D) whose slots hold these values."""
        where = torch.tensor(self.slots, device=banks_BND.device)
        return banks_BND.index_copy(1, where, values_BV.unflatten(1, (len(self.slots), -1)))

    def eraser(self, centre: Array) -> Eraser:
        """What removes the subspace from values of the slots, by an orthogonal projection.

        centre : ndarray of shape (V,), which stays where it is
        """
        directions = self.basis.T.double().cpu().numpy()
        return Eraser(directions, directions, centre)


def random_subspace(slots: Sequence[int], n_values: int, n_dims: int, rng: np.random.Generator) -> Subspace:
    """Directions drawn uniformly.

    n_values : of all the slots together
    """
    directions = np.linalg.qr(rng.normal(size=(n_values, n_dims)))[0]
    return Subspace(tuple(slots), torch.tensor(directions, dtype=torch.float32))


def check_subspace(slots: Sequence[int], n_dims: int, *, n_slots: int, width: int) -> None:
    """Refuse slots that the bank lacks, and more dimensions than they have or than ``MOST_DIMS``."""
    check_slots(slots, n_slots)
    if len(set(slots)) < len(slots):
        raise UserError(f"slots {', '.join(map(str, slots))} name a slot twice; give each once")
    most = min(MOST_DIMS, len(slots) * width)
    if not 1 <= n_dims <= most:
        held = f"{len(slots)} slot{'s' * (len(slots) > 1)} of width {width}"
        raise UserError(f"a subspace of {n_dims} dimensions in {held}; give 1 to {most}")
