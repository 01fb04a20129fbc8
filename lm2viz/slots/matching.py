"""Match the slots of two models that read the same stories.

Bases differ between models, so two slots are compared by how well each predicts the other linearly: ridge
regressions in both directions, scored on held-out stories.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import Ridge

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, columns
from lm2viz.figures.slots import ranked_bars
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import (
    NOTHING,
    NOTHING_VARIES,
    check_enough,
    check_same_stories,
    estimate_from_sums,
    is_varying,
    split_stories,
    sums_by_story,
    swap_story_banks,
)

PENALTY = 1e-2  # of the ridge regression, in units of the predicting slot's mean variance


@dataclass(frozen=True, slots=True)
class Pair:
    """Two matched slots and their score on stories that were used neither to match nor to fit.

    score : share of one slot's variance that the other predicts linearly, mean of both directions; at most 1,
        and nothing is predicted at or below 0
    shuffled : control, the pair's score after the stories of the second model exchanged their banks
    random_slot : control, the mean score of the first slot with every slot of the second model
    """

    first: int
    second: int
    score: Estimate
    shuffled: Estimate
    random_slot: Estimate


@dataclass(frozen=True, slots=True)
class Matching:
    """Slots of two models matched one to one, best score first.

    mean, shuffled, random : mean score of all pairs; of pairs matched and scored after the stories of the
        second model exchanged their banks; of a random matching
    unmatched : for each model, its slots without a partner and the reason
    n_train, n_test : number of stories that slots were matched on, and that pairs were scored on
    """

    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    mean: Estimate
    shuffled: Estimate
    random: Estimate
    unmatched: tuple[dict[int, str], dict[int, str]]
    n_train: int
    n_test: int

    @property
    def about(self) -> str:
        """How it was measured."""
        return (
            f"Slots of {self.names[0]} and {self.names[1]}, matched on {self.n_train} stories and scored on "
            f"{self.n_test} others; score: share of variance predicted linearly, mean of both directions"
        )

    @property
    def finding(self) -> str:
        """The mean score with its controls."""
        return (
            f"mean score of {len(self.pairs)} matched pairs: {self.mean}; controls: stories exchanged "
            f"{self.shuffled}, random matching {self.random}; 95 % intervals over stories"
        )

    @property
    def verdict(self) -> str:
        """How much matched slots share, beside random pairs, in a sentence."""
        if not self.pairs:
            return "No slot of one model matches a slot of the other."
        found = (
            "hold much the same" if self.mean.low > self.random.high else "share no more than random pairs"
        )
        return (
            f"Matched slots {found}: {self.mean.value:.0%} of the content of one can be predicted from the "
            f"other; in random pairs, {max(self.random.value, 0.0):.0%}."
        )

    def summary(self) -> str:
        """The verdict, the mean score with its controls, then each pair."""
        lines = [self.verdict, self.finding, self.about]
        for pair in self.pairs:
            shuffled, other = (
                f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})" for e in (pair.shuffled, pair.random_slot)
            )
            controls = f"controls: stories exchanged {shuffled}, random slot {other}"
            lines.append(f"slots {pair.first} and {pair.second}: {pair.score}; {controls}")
        for name, unmatched in zip(self.names, self.unmatched, strict=True):
            lines += [f"slot {slot} of {name}: {why}" for slot, why in unmatched.items()]
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per pair, then one per slot without a partner."""
        first, second = self.unmatched
        return pd.DataFrame(
            {
                "first": pd.array(
                    [*(p.first for p in self.pairs), *first, *[None] * len(second)], dtype="Int64"
                ),
                "second": pd.array(
                    [*(p.second for p in self.pairs), *[None] * len(first), *second], dtype="Int64"
                ),
                "state": [*["matched"] * len(self.pairs), *first.values(), *second.values()],
                "n_stories": [e.n for e in self._series("score")],
                **columns("score", self._series("score")),
                **columns("shuffled", self._series("shuffled")),
                **columns("random_slot", self._series("random_slot")),
            }
        )

    def figure(self) -> go.Figure:
        """The score of each pair, with its controls."""
        first, second = self.unmatched
        names = [f"{pair.first} and {pair.second}" for pair in self.pairs]
        names += [f"{slot} and none: {why}" for slot, why in first.items()]
        names += [f"none and {slot}: {why}" for slot, why in second.items()]
        series = {
            "score": self._series("score"),
            "control: stories exchanged": self._series("shuffled"),
            "control: random slot": self._series("random_slot"),
        }
        return ranked_bars(
            {f"slots of {self.names[0]} and {self.names[1]}": (names, series)},
            title="share of variance predicted linearly, held-out stories",
            missing="not matched",
        )

    def _series(self, name: str) -> list[Estimate]:
        """One estimate of every pair, then ``NOTHING`` for each slot without a partner."""
        return [getattr(pair, name) for pair in self.pairs] + [NOTHING] * sum(map(len, self.unmatched))


def match_slots(
    first: BankRows, second: BankRows, *, names: tuple[str, str] = ("first", "second"), seed: int = 0
) -> Matching:
    """Match slots one to one between two models, or two checkpoints of one model, that read the same stories.

    The matching maximises the sum of scores (Hungarian algorithm) on half of the stories: regressions are
    fitted on one half of these and scored on the other, with negative scores counted as 0. The pairs are then
    fitted on all of these stories and scored on the held-out half.

    names : names of the models, for the summary and the plot

    Raises
    ------
    UserError
        For rows of different stories, fewer than ``MIN_STORIES`` stories, or a bank in which nothing varies.
    """
    check_same_stories(first, second)
    check_enough(first.n_stories)
    parts = _SplitRows(first, second, seed)
    slots = parts.varying
    _check_varying(slots, names)
    mixed = _SplitRows(first, swap_story_banks(second, seed=seed), seed, varying=slots)
    turns = list(product((True, False), (parts, mixed)))
    inner, mixed_inner, sums, mixed_sums = (
        it.predictions(to_match=to_match)
        for to_match, it in track(turns, "matching and scoring, with control", "part")
    )
    chosen, mixed_chosen = _matched(inner), _matched(mixed_inner)
    pairs = [
        Pair(
            int(slots[0][i]),
            int(slots[1][j]),
            estimate_from_sums(sums[:, i, j], _share, seed=seed),
            estimate_from_sums(mixed_sums[:, i, j], _share, seed=seed),
            estimate_from_sums(sums[:, i], _mean_share, seed=seed),
        )
        for i, j in zip(*chosen, strict=True)
    ]
    n_slots = first.banks.shape[1], second.banks.shape[1]
    return Matching(
        names,
        tuple(sorted(pairs, key=lambda pair: -pair.score.value)),
        estimate_from_sums(sums[:, *chosen], _mean_share, seed=seed),
        estimate_from_sums(mixed_sums[:, *mixed_chosen], _mean_share, seed=seed),
        estimate_from_sums(sums.reshape(len(sums), -1, 4), _mean_share, seed=seed),
        (_unmatched(n_slots[0], slots[0], chosen[0]), _unmatched(n_slots[1], slots[1], chosen[1])),
        parts.train[0].n_stories,
        parts.test[0].n_stories,
    )


def _check_varying(slots: list[NDArray[np.int_]], names: tuple[str, str]) -> None:
    for name, varying in zip(names, slots, strict=True):
        if not len(varying):
            raise UserError(f"no slot of {name} varies over these stories; was it trained?")


class _SplitRows:
    """The rows of both models, split alike, and the slots that vary in the training half."""

    def __init__(
        self, first: BankRows, second: BankRows, seed: int, *, varying: list[NDArray[np.int_]] | None = None
    ) -> None:
        halves = [split_stories(rows, seed=seed) for rows in (first, second)]
        self.train, self.test = [train for train, _ in halves], [test for _, test in halves]
        self.varying = varying or [np.flatnonzero(is_varying(rows)) for rows in self.train]
        self._seed = seed

    def predictions(self, *, to_match: bool) -> Array:
        """How well slots predict each other, on the held-out stories or, ``to_match``, within the others.

        Sums by story, (n_stories, n_first, n_second, 4): squared error and squared size, in both directions.
        """
        fit, scored = self.train, self.test
        if to_match:
            inner = [split_stories(rows, seed=self._seed) for rows in self.train]
            fit, scored = [first for first, _ in inner], [second for _, second in inner]
        ways = [(fit, scored, self.varying), (fit[::-1], scored[::-1], self.varying[::-1])]
        there, back = (_squares(*way) for way in track(ways, "predicting slots both ways", "direction"))
        return np.concatenate([there, back.swapaxes(1, 2)], axis=-1)


def _matched(sums: Array) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Indices of the matched slots among those that vary."""
    first, second = linear_sum_assignment(np.clip(_share(sums.sum(axis=0)), 0.0, 1.0), maximize=True)
    return first, second


def _squares(fit: list[BankRows], scored: list[BankRows], slots: list[NDArray[np.int_]]) -> Array:
    """Squared error, and squared size about the fitted mean, by story (n_stories, n_source, n_target, 2)."""
    targets = fit[1].banks[:, slots[1]].astype(float)
    real = scored[1].banks[:, slots[1]].astype(float)
    size = ((real - targets.mean(axis=0)) ** 2).sum(axis=-1)
    of_source = []
    for slot in track(slots[0].tolist(), "predicting slots from each other", "slot"):
        source = fit[0].banks[:, slot].astype(float)
        ridge = Ridge(alpha=PENALTY * len(source) * source.var(axis=0).mean())
        ridge.fit(source, targets.reshape(len(targets), -1))
        predictions = ridge.predict(scored[0].banks[:, slot].astype(float)).reshape(real.shape)
        error = ((real - predictions) ** 2).sum(axis=-1)
        of_source.append(sums_by_story(np.stack([error, size], axis=-1), scored[0].story))
    return np.stack(of_source, axis=1)


def _share(totals: Array) -> Array:
    """Share of variance predicted, mean of both directions, from sums (..., 4)."""
    error, size = totals[..., 0::2], totals[..., 1::2]
    return np.asarray(1.0 - np.divide(error, size, out=np.ones_like(error), where=size > 0).mean(axis=-1))


def _mean_share(totals: Array) -> Array:
    """Mean of ``_share`` over pairs, from sums (n_draws, n_pairs, 4)."""
    return np.asarray(_share(totals).mean(axis=-1))


def _unmatched(n_slots: int, varying: NDArray[np.int_], chosen: NDArray[np.int_]) -> dict[int, str]:
    """Slots without a partner, and the reason."""
    left = np.setdiff1d(varying, varying[chosen])
    constant = np.setdiff1d(np.arange(n_slots), varying)
    return dict.fromkeys(left.tolist(), "no partner left") | dict.fromkeys(constant.tolist(), NOTHING_VARIES)
