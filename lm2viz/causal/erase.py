"""Directions that tell classes apart, and their removal: mean projection and LEACE.

Source: Belrose et al. 2023, arXiv:2306.03819, theorem 4.3 (LEACE in closed form).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.causal.interventions import Erase

TOLERANCE = 1e-6  # of the largest: smaller singular values are rounding


@dataclass(frozen=True, slots=True)
class Eraser:
    """What turns ``x`` into ``x - (x - centre) readers^T directions``.

    directions, readers : ndarrays of shape (n_directions, n_dims)
    centre : ndarray of shape (n_dims,), which stays where it is
    """

    directions: Array
    readers: Array
    centre: Array

    def __call__(self, features: Array) -> Array:
        """The features (n_samples, n_dims) without their components along the directions."""
        return features - (features - self.centre) @ self.readers.T @ self.directions

    def on(self, slots: tuple[int, ...], *, step: int | None = None) -> Erase:
        """The intervention that does this to slots."""
        rows = [tuple(map(tuple, matrix.tolist())) for matrix in (self.directions, self.readers)]
        return Erase(
            slots=slots, step=step, directions=rows[0], readers=rows[1], centre=tuple(self.centre.tolist())
        )


def mean_projection(features: Array, labels: NDArray[Any]) -> Eraser:
    """Remove the directions in which class means differ, by an orthogonal projection.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_dims)
    labels : ndarray of shape (n_samples,), at least two different ones

    Raises
    ------
    UserError
        For one class only, or sizes that do not fit.
    """
    is_class, centre = _classes(features, labels), features.mean(axis=0)
    means = np.stack([features[rows].mean(axis=0) for rows in is_class.T]) - centre
    basis = _orthonormal(means.T).T
    return Eraser(basis, basis, centre)


def leace(features: Array, labels: NDArray[Any]) -> Eraser:
    """The smallest affine change that no linear probe sees through; see ``mean_projection``.

    W is the whitening of the features. Removed is ``W^+ U U^T W``; U spans W Cov(features, labels).
    """
    is_class, centre = _classes(features, labels), features.mean(axis=0)
    centred = features - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    retained = values > TOLERANCE * values.max()
    scale, vectors = np.sqrt(values[retained]), vectors[:, retained]
    whiten, colour = (vectors / scale) @ vectors.T, (vectors * scale) @ vectors.T
    basis = _orthonormal(whiten @ centred.T @ (is_class - is_class.mean(axis=0)) / len(centred))
    return Eraser((colour @ basis).T, (whiten @ basis).T, centre)


def _classes(features: Array, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """One column a class, (n_samples, n_classes)."""
    names = np.unique(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise UserError(
            f"features of shape {features.shape} and labels of shape {labels.shape} do not fit; "
            "give (n_samples, n_dims) and (n_samples,)"
        )
    if len(names) < 2:
        raise UserError(f"all labels are {names.tolist()}; erasing needs at least two classes")
    return labels[:, None] == names


def _orthonormal(columns: Array) -> Array:
    """A basis of what the columns span, (n_dims, rank)."""
    basis, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return basis[:, sizes > TOLERANCE * max(sizes.max(), TOLERANCE)]
