"""Principal components of what slots hold: fitted on the banks of some stories, others placed in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.sample.rows import BankRows

SAME = 1e-10  # of the mean square: less variance than this is rounding
SLOT = "slot"  # column of a projection that says which slot a point is


class SlotPCA:
    """Principal components of the content of chosen slots.

    After ``fit``: ``mean_`` (n_dims,) and ``components_`` (n_components, n_dims), the largest loading of each
    positive, so that the picture is the same every time.

    Raises
    ------
    UserError
        On ``fit`` and ``transform``: for slots that are not in the bank or named twice, more components than
        there are dimensions or points, or slots that never change.
    """

    def __init__(self, slots: Sequence[int], *, n_components: int = 3) -> None:
        self.slots = tuple(slots)
        self.n_components = n_components

    def fit(self, rows: BankRows) -> "SlotPCA":
        """Learn the components from all rows given."""
        return self.fit_features(self.features(rows))

    def fit_features(self, features: Array) -> "SlotPCA":
        """Learn them from ``features`` as the method of that name gives them."""
        most = min(features.shape)
        if not 1 <= self.n_components <= most:
            raise UserError(
                f"{self.n_components} components of {len(features)} points with {features.shape[1]} "
                f"dimensions; choose 1 to {most}"
            )
        if features.var(axis=0).sum() <= SAME * (features**2).mean():
            raise UserError(f"slots {list(self.slots)} hold the same everywhere; choose slots that change")
        fitted = PCA(self.n_components, svd_solver="full").fit(features)
        self.mean_: Array = fitted.mean_
        self.components_: Array = fitted.components_  # scikit-learn makes the largest loading positive
        return self

    def transform(self, rows: BankRows) -> "Projection":
        """Where the slots of these rows lie."""
        return Projection(self._project(self.features(rows)), _row_table(rows, self.slots))

    def features(self, rows: BankRows) -> Array:
        """What the slots hold, (n_rows * n_chosen_slots, n_dims), the slots of a row together."""
        n_slots = rows.banks.shape[1]
        outside = [slot for slot in self.slots if not 0 <= slot < n_slots]
        if outside or not self.slots:
            raise UserError(f"slots {outside or 'none'} of a bank of {n_slots}; choose from 0..{n_slots - 1}")
        if len(set(self.slots)) < len(self.slots):  # each of its points would count twice
            raise UserError(f"slots {list(self.slots)} have one twice; name each once")
        return rows.banks[:, list(self.slots)].reshape(-1, rows.banks.shape[2]).astype(float)

    def _project(self, features: Array) -> Array:
        return (features - self.mean_) @ self.components_.T

    def squares(self, features: Array) -> tuple[Array, Array]:
        """Squared coordinates (n_points, n_components) and squared distances to the mean (n_points,)."""
        return self._project(features) ** 2, ((features - self.mean_) ** 2).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Projection:
    """Points and what they are.

    coordinates : ndarray of shape (n_points, n_components)
    rows : story, segment (from 0), slot, and one column a fact, None where not known; one row a point
    """

    coordinates: Array
    rows: pd.DataFrame


def _row_table(rows: BankRows, slots: Sequence[int]) -> pd.DataFrame:
    n = len(slots)
    places = {
        "story": np.repeat(rows.story, n),
        "segment": np.repeat(rows.segment, n),
        SLOT: np.tile(slots, len(rows.story)),
    }
    facts = rows.facts.iloc[np.repeat(np.arange(len(rows.facts)), n)].reset_index(drop=True)
    return pd.concat([pd.DataFrame(places), facts], axis=1)
