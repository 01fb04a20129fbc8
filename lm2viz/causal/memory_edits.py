"""Edits that make a bank say another value of one fact: by transplant, a probe's direction, or a subspace.

Axes: B bank, N slot, D width, M moment of the stories that edits are made from, V number: the values of the
edited slots side by side, C class.

A probe's coefficients say how to read a fact, not how it is written: moving along them leaves the values
that stories have. The direction is therefore that of the pattern, covariance times coefficients: Haufe et al.
2014, NeuroImage 87. The difference is large: docs/LOG.md, 30 November 2026.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lm2core.babi.fact_questions import question_about
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.saved_bank import check_finite
from lm2viz.causal.interchange_pairs import N_DONORS, QuestionOf, Stories
from lm2viz.causal.interchange_scores import PairScorer
from lm2viz.causal.interchanging import best_slot, interchange_by_slot, pair_scorer
from lm2viz.causal.subspace import Subspace, check_subspace, random_subspace
from lm2viz.causal.subspace_edits import means_by_answer, moments
from lm2viz.causal.subspace_search import N_DIMS
from lm2viz.causal.subspace_training import train_subspace
from lm2viz.progress import track

TRANSPLANT, DIRECTION, SUBSPACE = "transplant", "direction", "subspace"
METHODS = (TRANSPLANT, DIRECTION, SUBSPACE)
CERTAIN = 0.99  # probability of the value, by the probe, that ends the moves
MARGIN = 6.0  # of the probe's logits, by which a move puts the value ahead of the best other one
MOST_MOVES = 50
Change = Callable[[Tensor, Sequence[str]], Tensor]  # banks (B,N,D), what each must say -> banks


@dataclass(frozen=True, slots=True)
class MemoryEdit:
    """How to make banks say another value of a fact.

    slots : those that change
    values : what can be said
    """

    fact: str
    method: str
    slots: tuple[int, ...]
    values: tuple[str, ...]
    change: Change = field(repr=False)

    def apply(self, banks_BND: Tensor, values: Sequence[str]) -> Tensor:
        """The banks (B,N,D), each saying its value; all but ``slots`` is as it was.

        Raises
        ------
        UserError
            For a value that cannot be said, and for a bank with values that are not finite.
        """
        if unknown := sorted(set(values) - set(self.values)):
            raise UserError(
                f"{self.fact}: no story that the edit was made from says {unknown[0]!r}; they say: "
                f"{', '.join(self.values)}"
            )
        check_finite(banks_BND)
        return self.change(banks_BND, values)


def make_edits(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    methods: Sequence[str] = METHODS,
    *,
    slots: Sequence[int] | None = None,
    n_dims: int = N_DIMS,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> list[MemoryEdit]:
    """Make one edit of each method from stories that the model reads.

    transplant: the slots of a moment at which the fact has the value, one drawn for each bank. direction:
    along the pattern of a linear probe of the slots, until it gives the value. subspace: what distributed
    alignment search finds, moved to where it is on average at the value.

    slots : those that change; None: the one with the most interchange
    n_dims : of the subspace

    Raises
    ------
    UserError
        For an unknown method; as ``search_subspace`` for fact, slots and dimensions, and for too few stories.
    """
    if unknown := [name for name in methods if name not in METHODS]:
        raise UserError(f"no method {unknown[0]!r}; give {', '.join(METHODS)}")
    config = lm.model.config
    check_subspace(
        (0,) if slots is None else slots, n_dims, n_slots=config.memory_slots, width=config.bank_width
    )
    finder = pair_scorer(lm, stories, fact, n_donors=N_DONORS, seed=seed, question_of=question_of)
    if slots is None:
        hits = interchange_by_slot(lm, stories, [fact], seed=seed, question_of=question_of)
        slots = (best_slot(hits, fact),)
    at_random = random_subspace(slots, len(slots) * config.bank_width, n_dims, np.random.default_rng(seed))
    values = tuple(sorted(set(moments(at_random, finder)[1].tolist())))
    makers = {TRANSPLANT: _transplant, DIRECTION: _direction, SUBSPACE: _subspace}
    return [
        MemoryEdit(fact, method, tuple(slots), values, makers[method](finder, at_random, seed))
        for method in track(methods, "making edits", "method")
    ]


def _transplant(finder: PairScorer, inside: Subspace, seed: int) -> Change:
    contents_MV, answers = moments(inside, finder)

    def change(banks_BND: Tensor, said: Sequence[str]) -> Tensor:
        rng = np.random.default_rng(seed)
        donors = [int(rng.choice(np.flatnonzero(answers == value))) for value in said]
        return inside.with_values(banks_BND, contents_MV[torch.as_tensor(donors)])

    return change


def _direction(finder: PairScorer, inside: Subspace, seed: int) -> Change:
    from lm2viz.probes.fitted import raw_coefficients  # scikit-learn is slow to import
    from lm2viz.probes.linear import logistic_probe

    contents_MV, answers = moments(inside, finder)
    probe = logistic_probe()
    probe.fit(contents_MV.double().cpu().numpy(), answers)
    raw = raw_coefficients(probe, np.ones(contents_MV.shape[1], dtype=bool))
    coefficients_CV, intercepts_C = (torch.as_tensor(x).to(contents_MV) for x in raw)
    spread_VV = torch.cov(contents_MV.T)
    place = {str(name): i for i, name in enumerate(probe.classes_)}

    def change(banks_BND: Tensor, said: Sequence[str]) -> Tensor:
        wanted_B = torch.tensor([place[value] for value in said], device=banks_BND.device)
        values_BV = inside.values(banks_BND)
        for _ in range(MOST_MOVES):
            scores_BC = values_BV @ coefficients_CV.T + intercepts_C
            is_done = scores_BC.softmax(1).gather(1, wanted_B[:, None]) >= CERTAIN
            if is_done.all():
                break
            moved_BV = _past_rival(values_BV, scores_BC, wanted_B, coefficients_CV, spread_VV)
            values_BV = torch.where(is_done, values_BV, moved_BV)
        return inside.with_values(banks_BND, values_BV)

    return change


def _subspace(finder: PairScorer, inside: Subspace, seed: int) -> Change:
    found = train_subspace(finder, inside, seed=seed)
    means = means_by_answer(found, finder)

    def change(banks_BND: Tensor, said: Sequence[str]) -> Tensor:
        return found.moved_to(banks_BND, torch.stack([means[value] for value in said]))

    return change


def _past_rival(
    values_BV: Tensor, scores_BC: Tensor, wanted_B: Tensor, coefficients_CV: Tensor, spread_VV: Tensor
) -> Tensor:
    """The shortest move in Mahalanobis distance that puts the wanted class ahead of the best other one."""
    rival_B = scores_BC.scatter(1, wanted_B[:, None], -torch.inf).argmax(1)
    reader_BV = coefficients_CV[wanted_B] - coefficients_CV[rival_B]
    ahead_B = (scores_BC.gather(1, wanted_B[:, None]) - scores_BC.gather(1, rival_B[:, None]))[:, 0]
    towards_BV = reader_BV @ spread_VV
    size_B = (MARGIN - ahead_B) / (reader_BV * towards_BV).sum(1)
    return values_BV + size_B[:, None] * towards_BV
