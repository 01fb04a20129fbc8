"""What pairs score when slots are exchanged: cause, isolation and their product, with intervals over stories.

Axes: P pair, R row: a question of a pair, N slot, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lm2viz.arrays import Array
from lm2viz.causal.interchange_banks import ZERO, Ints, Mask, PairBanks
from lm2viz.causal.interchange_pairs import Asked, Pair
from lm2viz.estimates import N_RESAMPLES, NONE, TAIL, Estimate, Estimates, drawn_stories, share

PairEdit = Callable[[Tensor, Tensor, Tensor], Tensor]  # banks (R,N,D) of bases, donors, which pairs -> banks
PAIRS_AT_ONCE = 512  # whose weights in all resamples are in memory


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of pairs, ndarrays of shape (P,) in [0, 1].

    hit : whether the answer about the fact is what it must become
    kept : whether it is the model's answer without exchange
    stay : share of the answers about everything else that stay; NaN where none is asked
    follow : share of the answers that must change with the fact and do; NaN where none is asked
    """

    hit: Array
    kept: Array
    stay: Array
    follow: Array

    @staticmethod
    def mean(draws: Sequence["PairScores"]) -> "PairScores":
        """The mean over draws of the same pairs."""
        names = ("hit", "kept", "stay", "follow")
        return PairScores(*(np.mean([getattr(draw, name) for draw in draws], axis=0) for name in names))


class PairScorer:
    """Scores pairs read by one model, any slots at a time."""

    def __init__(self, banks: PairBanks, pairs: Sequence[Pair]) -> None:
        self.banks, self.pairs = banks, tuple(pairs)
        self.base, self.donor = banks.sides(pairs)
        self.question = banks.questions([p.question for p in pairs])
        self.after = banks.ids([p.after for p in pairs])
        self.clean = banks.unedited(self.question, self.base)
        self.others = _Extra(self, [p.others for p in pairs])
        self.follows = _Extra(self, [p.follows for p in pairs])

    def score(self, slots_PN: Mask, *, with_others: bool = True) -> PairScores:
        """The scores with these slots exchanged, a row for each pair.

        with_others : False leaves ``stay`` and ``follow`` NaN, which takes a quarter of the time
        """
        slots = self.banks.as_tensor(slots_PN)

        def exchange(base_RND: Tensor, donor_RND: Tensor, pair_R: Tensor) -> Tensor:
            return torch.where(slots[pair_R, :, None], donor_RND, base_RND)

        return self.score_edit(exchange, with_others=with_others)

    def score_edit(self, edit: PairEdit, *, with_others: bool = True) -> PairScores:
        """The scores with the banks that ``edit`` makes; see ``score``."""
        answers = self.answers_to(edit)
        stay = follow = np.full(len(self.pairs), np.nan)
        if with_others:
            stay = self.others.share(self.others.clean, edit)
            follow = self.follows.share(self.follows.right, edit)
        return PairScores((answers == self.after) * 1.0, (answers == self.clean) * 1.0, stay, follow)

    def answers_to(self, edit: PairEdit) -> Ints:
        """Token ids (P,) of the answers about the fact, from the banks that ``edit`` makes."""
        return self.answers_after(edit, self.question, np.arange(len(self.pairs)))

    def answers_after(self, edit: PairEdit, questions_R: Ints, pair_R: Ints) -> Ints:
        """Token ids (R,) of the answers to questions of these pairs, from the banks that ``edit`` makes."""
        pairs = self.banks.as_tensor(pair_R)

        def of_rows(base_RND: Tensor, donor_RND: Tensor, rows: slice) -> Tensor:
            return edit(base_RND, donor_RND, pairs[rows])

        return self.banks.answers_after(of_rows, questions_R, self.base[pair_R], self.donor[pair_R])

    def score_slots(self, slots: Sequence[int], *, with_others: bool = True) -> PairScores:
        """The scores with the same slots exchanged in every pair."""
        return self.score(self.mask(slots), with_others=with_others)

    def kept_without(self, slot: int) -> Array:
        """Whether each answer (P,) is the model's without exchange when this slot is zero."""
        zeros = np.full(len(self.pairs), ZERO)
        return (self.banks.answers(self.question, self.base, zeros, self.mask([slot])) == self.clean) * 1.0

    def mask(self, slots: Sequence[int]) -> Mask:
        """The same slots for every pair, (P,N)."""
        mask = np.zeros((len(self.pairs), self.banks.n_slots), dtype=bool)
        mask[:, list(slots)] = True
        return mask


class _Extra:
    """Further questions of the pairs: all of their rows, their right answers, and those without exchange."""

    def __init__(self, scorer: PairScorer, asked: Sequence[Sequence[Asked]]) -> None:
        self._scorer = scorer
        self.pair = np.array([p for p, each in enumerate(asked) for _ in each], dtype=int)
        self.question = scorer.banks.questions([text for each in asked for text, _ in each])
        self.right = scorer.banks.ids([answer for each in asked for _, answer in each])
        self.clean = scorer.banks.unedited(self.question, scorer.base[self.pair])

    def share(self, expected_R: Ints, edit: PairEdit) -> Array:
        """The share (P,) of the answers that are as expected from the banks that ``edit`` makes."""
        n_pairs = len(self._scorer.pairs)
        answers = self._scorer.answers_after(edit, self.question, self.pair)
        n_asked = np.bincount(self.pair, minlength=n_pairs).astype(float)
        n_asked[n_asked == 0] = np.nan
        return np.bincount(self.pair, weights=answers == expected_R, minlength=n_pairs) / n_asked

    def only_right(self, asked: Sequence[Sequence[Asked]]) -> list[tuple[Asked, ...]]:
        """Those that the model answers rightly without exchange."""
        is_right = iter((self.clean == self.right).tolist())
        return [tuple(each for each in of_pair if next(is_right)) for of_pair in asked]


def answered_rightly(banks: PairBanks, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that the model answers rightly on both sides, with those other questions that it does.

    What must follow a change is kept where the model is right about it in the base story.
    """
    scorer = PairScorer(banks, pairs)
    before, of_donor = (banks.ids([getattr(p, name) for p in pairs]) for name in ("before", "donor_answer"))
    is_right = scorer.clean == before
    is_right &= banks.unedited(scorer.question, scorer.donor) == of_donor
    others = scorer.others.only_right([p.others for p in pairs])
    return [replace(p, others=o) for p, o, ok in zip(pairs, others, is_right, strict=True) if ok]


@dataclass(frozen=True, slots=True)
class Effects:
    """Estimates over pairs: cause, isolation, their product, and what follows."""

    interchange: Estimate
    isolation: Estimate
    product: Estimate
    follow: Estimate


def estimate(scores: PairScores, pairs: Sequence[Pair], *, seed: int) -> Effects:
    """Means over pairs with 95 % intervals by bootstrap over stories.

    A resample draws stories; a pair weighs as often as both of its stories were drawn. So what pairs share,
    a story on either side, widens the interval. Values that are all equal have the interval of ``mean``.
    """
    n_bases = len({p.base for p in pairs})
    columns = np.stack([scores.hit, scores.stay, scores.follow], axis=1)
    draws = _resampled(columns, pairs, seed)
    hit, stay, follow = (_estimate(columns[:, i], draws[:, i], n_bases) for i in range(3))
    if not stay.n:
        return Effects(hit, NONE, NONE, follow)
    value, product = hit.value * stay.value, draws[:, 0] * draws[:, 1]
    is_alike = bool(np.nanmax(product) == np.nanmin(product))
    bounds = _bounds(product, value, is_alike=is_alike, n=n_bases)
    return Effects(hit, stay, Estimate(value, *bounds, stay.n), follow)


def estimate_columns(columns: Array, pairs: Sequence[Pair], *, seed: int) -> Estimates:
    """The same for each column of values (P, n_cells) in [0, 1]; NaN is left out."""
    draws, n_bases = _resampled(columns, pairs, seed), len({p.base for p in pairs})
    each = [_estimate(columns[:, i], draws[:, i], n_bases) for i in range(columns.shape[1])]
    value, low, high = (np.array([getattr(e, end) for e in each]) for end in ("value", "low", "high"))
    return Estimates(value, low, high, len(pairs))


def _resampled(columns: Array, pairs: Sequence[Pair], seed: int) -> Array:
    """The mean of each column (N_RESAMPLES, n_cells) in each resample of stories."""
    codes = np.unique([[p.base for p in pairs], [p.donor for p in pairs]], return_inverse=True)[1]
    base, donor = codes.reshape(2, -1)
    drawn, is_there = drawn_stories(codes.max() + 1, seed), ~np.isnan(columns)
    sums, counts = np.zeros((2, N_RESAMPLES, columns.shape[1]))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        weights = drawn[:, base[some]] * drawn[:, donor[some]]
        sums += weights @ np.nan_to_num(columns[some])
        counts += weights @ is_there[some]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts)


def _estimate(values: Array, draws: Array, n_stories: int) -> Estimate:
    known = values[~np.isnan(values)]
    if not len(known):
        return NONE
    value = float(known.mean())
    is_alike = _are_alike(known[:, None])
    return Estimate(value, *_bounds(draws, value, is_alike=is_alike, n=n_stories), len(known))


def _are_alike(columns: Array) -> bool:
    """Whether each column has one value."""
    known = [column[~np.isnan(column)] for column in columns.T]
    return all(len(set(column.tolist())) < 2 for column in known)


def _bounds(draws: Array, value: float, *, is_alike: bool, n: int) -> tuple[float, float]:
    if is_alike:
        unseen = share(np.zeros(n)).high
        return max(0.0, value - unseen), min(1.0, value + unseen)
    low, high = np.nanquantile(draws, [TAIL, 1 - TAIL])
    return float(low), float(high)
