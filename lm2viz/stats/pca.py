"""Principal components of slot contents, fitted on the banks of some stories and applied to others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.sample.rows import BankRows

SAME = 1e-10  # share of the mean square: a smaller variance is rounding
SLOT = "slot"  # column of a projection with the slot of each point


class SlotPCA:
    """Principal components of the contents of chosen slots.

    After ``fit``: ``mean_`` (n_dims,) and ``components_`` (n_components, n_dims). The largest loading of each
    component is positive, so that the plot does not flip between runs.

    Raises
    ------
    UserError
        On ``fit`` and ``transform``: for slots that the bank does not have or that are given twice, more
        components than dimensions or points, or slots that never change.
    """

    def __init__(self, slots: Sequence[int], *, n_components: int = 3) -> None:
        self.slots = tuple(slots)
        self.n_components = n_components

    def fit(self, rows: BankRows) -> "SlotPCA":
        """Fit the components to the chosen slots of ``rows``."""
        return self.fit_features(self.features(rows))

    def fit_features(self, features: Array) -> "SlotPCA":
        """Fit the components to ``features``, an array as from the method of that name."""
        most = min(features.shape)
        if not 1 <= self.n_components <= most:
            raise UserError(
                f"cannot fit {self.n_components} components to {len(features)} points of "
                f"{features.shape[1]} dimensions; choose 1 to {most}"
            )
        if features.var(axis=0).sum() <= SAME * (features**2).mean():
            raise UserError(f"slots {list(self.slots)} never change; choose other slots")
        fitted = PCA(self.n_components, svd_solver="full").fit(features)
        self.mean_: Array = fitted.mean_
        self.components_: Array = fitted.components_  # scikit-learn makes the largest loading positive
        return self

    def transform(self, rows: BankRows) -> "Projection":
        """Coordinates of the chosen slots of ``rows``."""
        return Projection(self._project(self.features(rows)), _row_table(rows, self.slots))

    def features(self, rows: BankRows) -> Array:
        """Contents of the chosen slots, (n_rows * n_chosen_slots, n_dims), row by row."""
        n_slots = rows.banks.shape[1]
        outside = [slot for slot in self.slots if not 0 <= slot < n_slots]
        if outside or not self.slots:
            raise UserError(
                f"got slots {outside or 'none'} for a bank of {n_slots}; choose from 0 to {n_slots - 1}"
            )
        if len(set(self.slots)) < len(self.slots):  # its points would count twice
            raise UserError(f"slots {list(self.slots)} name a slot twice; give each once")
        return rows.banks[:, list(self.slots)].reshape(-1, rows.banks.shape[2]).astype(float)

    def _project(self, features: Array) -> Array:
        return (features - self.mean_) @ self.components_.T

    def squares(self, features: Array) -> tuple[Array, Array]:
        """Squared coordinates (n_points, n_components) and squared distances to the mean (n_points,)."""
        return self._project(features) ** 2, ((features - self.mean_) ** 2).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Projection:
    """Projected points and what each stands for.

    coordinates : ndarray of shape (n_points, n_components)
    rows : one row per point: story, segment (from 0), slot, and a column per fact, None where not known
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
