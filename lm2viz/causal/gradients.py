"""Gradients of an answer with respect to slots: integrated gradients, and gradient times change.

Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) follow a line from a baseline to the bank;
their sum over slots equals the gain of the answer along it. The baseline is the fresh bank, which the model
starts from; a mean bank would hold what stories have in common. Gradient times change uses the gradient at
the bank only. It is not multiplied by the slot itself: reads normalise slots, so an answer does not depend
on a slot's norm, and that product is zero for every slot.

Axes: Q question, N slot, D width, V word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.questions import LogitDifferences, compared_words, other_banks
from lm2viz.causal.running import Stories, question_texts, run
from lm2viz.estimates import TAIL, Estimate, drawn_stories, mean
from lm2viz.figures.attribution import slot_points

INTEGRATED, TIMES_CHANGE = "integrated gradients", "gradient x change"
METHODS = (INTEGRATED, TIMES_CHANGE)
ABLATIONS = ("fresh", "zero")
N_POINTS = 32  # of the Gauss-Legendre quadrature


@dataclass(frozen=True, slots=True)
class Saliency:
    """Attribution by one method to slots, in logits of the right answer minus the best other word.

    slots, other : one estimate per slot, for the story's bank and, as control, for another story's
    ablated : attribution to the slot whose reset changes the question's answer most
    random : control, attribution to another slot of the same question, drawn at random
    other_story : control, attribution to the slot of ``ablated`` in another story's bank
    agreement : by kind of ablation, the correlation over slots and questions with the effect of the ablation
    shuffled : control, the same with the slots of every question shuffled
    error : largest difference between a question's sum over slots and its gain over the baseline, in logits
    relative_error : the mean of these differences, as a share of the mean absolute gain
    """

    method: str
    slots: tuple[Estimate, ...]
    other: tuple[Estimate, ...]
    ablated: Estimate
    random: Estimate
    other_story: Estimate
    agreement: dict[str, Estimate]
    shuffled: dict[str, Estimate]
    error: float
    relative_error: float


@dataclass(frozen=True, slots=True)
class Saliencies:
    """Both methods on the same questions.

    gain : logit difference with the story's bank minus that with a fresh one
    """

    model: str
    n_stories: int
    gain: Estimate
    by_method: tuple[Saliency, Saliency]

    @property
    def verdict(self) -> str:
        """What the method attributes to the slot that matters most, beside a random slot, in a sentence."""
        it = self.by_method[0]
        return (
            f"The slot whose reset matters most gets {it.ablated.value:.1f} of the {self.gain.value:.1f} "
            f"logits that the memory gains ({it.method}); a random other slot, {it.random.value:.1f}."
        )

    def summary(self) -> str:
        """The verdict; the slot that matters most, completeness, and agreement with ablation."""
        lines = [
            self.verdict,
            f"Gradients with respect to slots in {self.model}: {self.n_stories} stories, 95 % intervals over "
            f"stories; the story's bank gains {self.gain} logits over a fresh one",
        ]
        for it in self.by_method:
            agreement = ", ".join(
                f"{kind} {it.agreement[kind]}, slots shuffled {it.shuffled[kind]}" for kind in ABLATIONS
            )
            lines += [
                f"{it.method}: the slot whose reset matters most {it.ablated}; a random other slot "
                f"{it.random}; the same slot in another story's bank {it.other_story}",
                f"  sum over slots off by {it.relative_error:.1%} of the gain, at most {it.error:.2g} logits",
                f"  correlation with ablation: {agreement}",
            ]
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per method, bank and slot; then one per method and further estimate."""
        rows: list[tuple[str, str, Any, Estimate]] = []
        for it in self.by_method:
            for name, estimates in (("story's bank", it.slots), ("another story's bank", it.other)):
                rows += [(it.method, name, slot, value) for slot, value in enumerate(estimates)]
            rows += [
                (it.method, "ablated slot", None, it.ablated),
                (it.method, "random other slot", None, it.random),
                (it.method, "ablated slot in another story's bank", None, it.other_story),
            ]
            for kind in ABLATIONS:
                rows.append((it.method, f"correlation, {kind} ablation", None, it.agreement[kind]))
                rows.append((it.method, f"correlation, {kind}, slots shuffled", None, it.shuffled[kind]))
        return pd.DataFrame(
            {"method": method, "figure": name, "slot": slot}
            | {"value": it.value, "low": it.low, "high": it.high, "n": it.n}
            for method, name, slot, it in rows
        )

    def figure(self) -> go.Figure:
        """A panel per method: each slot with its interval, for the story's bank and another story's."""
        return slot_points({it.method: (it.slots, it.other) for it in self.by_method})


def slot_gradients(
    lm: LoadedModel, stories: Stories, *, n_points: int = N_POINTS, seed: int = 0
) -> Saliencies:
    """Attribute the logit difference between the right answer and the best other word to slots.

    n_points : points of the quadrature; more make integrated gradients more complete

    Raises
    ------
    UserError
        As ``run``; for fewer than two stories, fewer than 1 point, or a bank of one slot.
    """
    if n_points < 1:
        raise UserError(f"got n_points = {n_points}; give at least 1")
    if lm.model.config.memory_slots < 2:
        raise UserError("a bank of one slot has no other slot as control; use a model with more slots")
    it = run(lm, stories)
    differences = LogitDifferences(lm, question_texts(stories), compared_words(it))
    bank, other = it.question_banks, other_banks(it, seed)
    fresh = lm.model.new_memory(len(bank)).detach()
    clean, start = differences.difference(bank), differences.difference(fresh)
    ablated = {kind: clean[:, None] - differences.without_slots(bank, fresh, kind) for kind in ABLATIONS}
    truth, by_method = _Truth(ablated, clean - start, it.story), []
    for method in METHODS:
        points = path_points(method, n_points)
        same_story, other_story = (differences.attributed(x, fresh, points) for x in (bank, other))
        by_method.append(_saliency(method, same_story, other_story, truth, seed))
    gain = mean(clean - start, groups=it.story, seed=seed)
    return Saliencies(lm.name, len(set(it.story.tolist())), gain, (by_method[0], by_method[1]))


def path_points(method: str, n_points: int = N_POINTS) -> tuple[Array, Array]:
    """Points between baseline (0) and bank (1) at which the gradient is taken, and weights with sum 1."""
    if method == TIMES_CHANGE:
        return np.ones(1), np.ones(1)
    x, weight = np.polynomial.legendre.leggauss(n_points)
    return (x + 1) / 2, weight / 2


@dataclass(frozen=True, slots=True)
class _Truth:
    """Measured without gradients: effects of ablation (Q,N) by kind, gain (Q,); and the story (Q,)."""

    ablated: Mapping[str, Array]
    gain: Array
    story: NDArray[np.int_]


def _saliency(method: str, same_story: Array, other_story: Array, truth: _Truth, seed: int) -> Saliency:
    """One method's estimates from its attributions (Q,N) in the story's and in another story's bank."""
    rng, story = np.random.default_rng(seed), truth.story
    n_questions, n_slots = same_story.shape
    every = np.arange(n_questions)
    best = truth.ablated["fresh"].argmax(axis=1)
    random = (best + rng.integers(1, n_slots, size=n_questions)) % n_slots
    missing = np.abs(same_story.sum(axis=1) - truth.gain)

    def estimate(values: Array) -> Estimate:
        return mean(values, groups=story, seed=seed)

    def agreements(values: Array) -> dict[str, Estimate]:
        return {
            kind: correlation(values, taken, groups=story, seed=seed) for kind, taken in truth.ablated.items()
        }

    return Saliency(
        method,
        tuple(estimate(column) for column in same_story.T),
        tuple(estimate(column) for column in other_story.T),
        estimate(same_story[every, best]),
        estimate(same_story[every, random]),
        estimate(other_story[every, best]),
        agreements(same_story),
        agreements(rng.permuted(same_story, axis=1)),
        float(missing.max()),
        float(missing.mean() / np.abs(truth.gain).mean()),
    )


def correlation(x: Array, y: Array, *, groups: NDArray[np.int_], seed: int = 0) -> Estimate:
    """Pearson's correlation over all cells of two arrays (Q,N); NaN if one of them is constant.

    The interval is a bootstrap over whole ``groups`` (Q,).
    """
    _, group = np.unique(groups, return_inverse=True)
    n_groups = group.max() + 1
    cells = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).sum(axis=1)  # (Q,6)
    sums = np.stack([np.bincount(group, weights=column) for column in cells.T], axis=1)  # (groups,6)
    n, *rest = np.vstack([sums.sum(axis=0), drawn_stories(n_groups, seed) @ sums]).T
    mean_x, mean_y, xx, yy, xy = (part / n for part in rest)
    spread = np.sqrt(np.maximum((xx - mean_x**2) * (yy - mean_y**2), 0.0))
    r = np.divide(xy - mean_x * mean_y, spread, out=np.full(len(n), np.nan), where=spread > 0)
    low, high = np.quantile(r[1:], [TAIL, 1 - TAIL])
    return Estimate(float(r[0]), float(low), float(high), len(x))
