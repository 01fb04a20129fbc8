"""What a subspace does beside interchange: answers without it, and with it moved to a value.

Axes: M moment: one side of a pair, P pair, R row, N slot, D width, V number, K dimension; see subspace.py.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2viz.arrays import Array
from lm2viz.causal.erase import Eraser, leace
from lm2viz.causal.interchange_scores import PairEdit, PairScorer, estimate_columns
from lm2viz.causal.subspace import Subspace
from lm2viz.causal.subspace_result import ERASED, ERASED_RANDOM, LEACE, UNERASED, Erasure
from lm2viz.estimates import Estimate, share


def exchanging(subspace: Subspace) -> PairEdit:
    """The subspace as it is in the donor."""

    def edit(base_RND: Tensor, donor_RND: Tensor, pair_R: Tensor) -> Tensor:
        return subspace.exchanged(base_RND, donor_RND)

    return edit


def steering(subspace: Subspace, finder: PairScorer, scorer: PairScorer) -> PairEdit:
    """The subspace moved to where it is on average when the answer is what it must become.

    finder : whose moments the averages are of; an answer that none of them has moves to their mean
    """
    means = means_by_answer(subspace, finder)
    overall = torch.stack([*means.values()]).mean(0)
    targets_PK = torch.stack([means.get(p.after, overall) for p in scorer.pairs])

    def edit(base_RND: Tensor, donor_RND: Tensor, pair_R: Tensor) -> Tensor:
        return subspace.moved_to(base_RND, targets_PK[pair_R])

    return edit


def means_by_answer(subspace: Subspace, finder: PairScorer) -> dict[str, Tensor]:
    """The mean coordinates (K,) of the moments at which each answer is right."""
    contents, answers = moments(subspace, finder)
    coordinates = contents @ subspace.basis
    return {str(a): coordinates[torch.as_tensor(answers == a)].mean(0) for a in np.unique(answers)}


def erasing(subspace: Subspace, eraser: Eraser) -> PairEdit:
    """The slots of the subspace, from whose values an eraser has removed directions."""

    def edit(base_RND: Tensor, donor_RND: Tensor, pair_R: Tensor) -> Tensor:
        values = subspace.values(base_RND)
        directions, readers, centre = (
            torch.as_tensor(x, dtype=values.dtype, device=values.device)
            for x in (eraser.directions, eraser.readers, eraser.centre)
        )
        return subspace.with_values(base_RND, values - (values - centre) @ readers.T @ directions)

    return edit


def _unchanged(base_RND: Tensor, donor_RND: Tensor, pair_R: Tensor) -> Tensor:
    return base_RND


def moments(subspace: Subspace, scorer: PairScorer) -> tuple[Tensor, NDArray[np.str_]]:
    """What the slots hold (M,V) on each side of the pairs, once, and the right answer (M,) there."""
    sides = np.concatenate([scorer.base, scorer.donor])
    answers = [p.before for p in scorer.pairs] + [p.donor_answer for p in scorer.pairs]
    once, first = np.unique(sides, return_index=True)
    return subspace.values(scorer.banks.contents(once)), np.array(answers)[first]


def erasures(
    found: Subspace, at_random: Subspace, finder: PairScorer, scorer: PairScorer, *, seed: int
) -> dict[str, Erasure]:
    """What remains without the subspace, beside LEACE and as many random directions, all of ``finder``."""
    contents, answers = moments(found, finder)
    values = contents.double().cpu().numpy()
    centre = values.mean(axis=0)
    erasers: Mapping[str, Eraser | None] = {
        UNERASED: None,
        ERASED: found.eraser(centre),
        LEACE: leace(values, answers),
        ERASED_RANDOM: at_random.eraser(centre),
    }
    held_out, held_out_answers = moments(found, scorer)
    train, test = (values, answers), (held_out.double().cpu().numpy(), held_out_answers)
    result = {}
    for name, eraser in erasers.items():
        scores = scorer.score_edit(_unchanged if eraser is None else erasing(found, eraser))
        both = estimate_columns(np.stack([1 - scores.kept, scores.stay], axis=1), scorer.pairs, seed=seed)
        decoded = _decoded(eraser or (lambda x: x), train, test)
        n_dims = 0 if eraser is None else len(eraser.directions)
        result[name] = Erasure(n_dims, both.at(0), both.at(1), decoded)
    return result


def _decoded(
    change: Callable[[Array], Array],
    train: tuple[Array, NDArray[np.str_]],
    test: tuple[Array, NDArray[np.str_]],
) -> Estimate:
    """How often a linear probe, fitted to changed values, is right about those of other stories."""
    from lm2viz.probes.linear import logistic_probe  # scikit-learn is slow to import

    probe = logistic_probe()
    probe.fit(change(train[0]), train[1])
    return share(probe.predict(change(test[0])) == test[1])
