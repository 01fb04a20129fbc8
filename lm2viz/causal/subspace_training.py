"""Distributed alignment search: the directions that must be exchanged for a fact to go with them.

Source: Geiger et al. 2023, arXiv:2303.02536. The loss also asks for what must stay, as the multi-task form of
RAVEL does, Huang et al. 2024, arXiv:2402.17700.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import orthogonal

from lm2viz.causal.interchange_banks import Ints
from lm2viz.causal.interchange_scores import PairScorer
from lm2viz.causal.subspace import Subspace
from lm2viz.progress import track

N_STEPS = 200
PAIRS_AT_ONCE = 32
LEARNING_RATE = 0.01


class _Directions(nn.Module):
    """Columns that stay orthonormal while they are trained."""

    def __init__(self, basis: Tensor, seed: int) -> None:
        super().__init__()
        self.columns = nn.Parameter(basis.clone())
        with torch.random.fork_rng(devices=[]):  # what the parametrisation fills up the square base with
            torch.manual_seed(seed)
            orthogonal(self, "columns")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some pairs with their questions: about the fact, and about everything else."""

    scorer: PairScorer
    targets: Ints  # (P,), of all pairs
    pairs: Ints
    others: Ints  # rows of scorer.others

    def loss(self, subspace: Subspace) -> Tensor:
        """Cross-entropy of what must change, plus that of what must stay."""
        it = self.scorer
        banks = subspace.exchanged(
            it.banks.contents(it.base[self.pairs]), it.banks.contents(it.donor[self.pairs])
        )
        place = np.searchsorted(self.pairs, it.others.pair[self.others])
        rows = np.concatenate([np.arange(len(self.pairs)), place])
        questions = np.concatenate([it.question[self.pairs], it.others.question[self.others]])
        answers = np.concatenate([self.targets[self.pairs], it.others.clean[self.others]])
        logits = it.banks.logits(questions, banks[torch.as_tensor(rows, device=banks.device)])
        each = cross_entropy(logits, it.banks.as_tensor(answers), reduction="none")
        change, stay = each.split([len(self.pairs), len(self.others)])
        return change.mean() + (stay.mean() if len(stay) else 0.0)


def train_subspace(
    scorer: PairScorer, start: Subspace, *, targets: Ints | None = None, seed: int = 0
) -> Subspace:
    """Turn a subspace until exchanging it changes answers about the fact, and no others.

    start : where training begins; its slots and its size stay
    targets : ids (P,) of what the answers must become, by default those of the pairs
    """
    device = scorer.banks.contents(scorer.base[:1]).device
    directions = _Directions(start.basis.to(device), seed)
    optimizer = torch.optim.Adam(directions.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)
    rng, n_pairs = np.random.default_rng(seed), len(scorer.pairs)
    weights = list(directions.parameters())
    for _ in track(range(N_STEPS), "training a subspace", "step"):
        pairs = np.sort(rng.permutation(n_pairs)[:PAIRS_AT_ONCE])
        others = np.flatnonzero(np.isin(scorer.others.pair, pairs))
        batch = _Batch(scorer, scorer.after if targets is None else targets, pairs, others)
        loss = batch.loss(Subspace(start.slots, directions.columns))
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient  # backward() would fill the gradients of the model too
        optimizer.step()
        schedule.step()
    return Subspace(start.slots, directions.columns.detach())
