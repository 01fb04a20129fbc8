"""Counterfactual pairs and placebos, read by a model, and the effects of patches between the two sides.

Axes: those of patching.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.babi.counterfactual import Counterfactual
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.patching import Part, Patches, Side, patched_logits, record
from lm2viz.estimates import TAIL, Estimate, drawn_stories, mean
from lm2viz.progress import track

DIRECTIONS = ("noising", "denoising")
PAIRS, PLACEBOS = "pairs", "placebos"


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of all pairs.

    rival_ids : (P,), the word that the original story's answer is compared with: the edited story's answer
        or, for a placebo, whose answers are equal, the best other word in the original story
    changed : (P,), index of the first sentence that differs
    is_changed : (P,S), which sentences differ
    """

    original: Side
    edited: Side
    rival_ids: Tensor
    changed: NDArray[np.int_]
    is_changed: NDArray[np.bool_]

    def difference(self, logits: Tensor, pair: Tensor) -> Array:
        """Logit of the original story's answer minus that of its rival (R,), in runs (R,V) of pairs."""
        answer, rival = (
            logits.gather(1, ids[pair, None])[:, 0] for ids in (self.original.answer_ids, self.rival_ids)
        )
        return (answer - rival).double().cpu().numpy()

    def gap(self) -> Array:
        """How much larger (P,) that difference is in the original story than in the edited one."""
        every = torch.arange(len(self.changed), device=self.rival_ids.device)
        return self.difference(self.original.logits, every) - self.difference(self.edited.logits, every)


def read_sides(
    lm: LoadedModel, pairs: Sequence[Counterfactual], parts: Sequence[Part], *, is_placebo: bool
) -> Sides:
    """Read and ask both sides of every pair.

    Raises
    ------
    UserError
        As ``record``; for no pairs; for pairs with equal answers, or placebos with different ones.
    """
    if not pairs:
        raise UserError("got no pairs; draw some with lm2core.babi.counterfactual.draw_counterfactuals")
    if wrong := [p for p in pairs if (p.answer == p.edited_answer) is not is_placebo]:
        got = f"{wrong[0].question} {wrong[0].answer!r} and {wrong[0].edited_answer!r}"
        must = "equal, kind 'placebo'" if is_placebo else "different, any other kind"
        raise UserError(f"answers of {'placebos' if is_placebo else 'pairs'} must be {must}; got {got}")
    stories = zip(*(pair.stories for pair in pairs), strict=True)
    both = track(list(stories), "reading both sides", "side")
    original, edited = (record(lm, side, parts) for side in both)
    others = original.logits.scatter(1, original.answer_ids[:, None], -torch.inf)
    rival_ids = others.argmax(-1) if is_placebo else edited.answer_ids
    is_changed = np.zeros((len(pairs), len(pairs[0].sentences)), dtype=bool)
    for row, pair in zip(is_changed, pairs, strict=True):
        row[list(pair.changed)] = True
    return Sides(original, edited, rival_ids, is_changed.argmax(axis=1), is_changed)


def scale_of(sides: Sides, seed: int) -> Estimate:
    """The mean gap of the pairs, in logits: the unit of effects.

    Raises
    ------
    UserError
        When the model answers both sides alike, so that no patch can have an effect.
    """
    gap = mean(sides.gap(), seed=seed)
    if not gap.value > 0 or gap.low <= 0:  # one pair has no interval
        raise UserError(
            f"this model's answers do not follow the edit (logit difference moves by {gap}); "
            "use a trained model, a task it can answer, or more pairs"
        )
    return gap


def effects(lm: LoadedModel, sides: Sides, part: Part, patches: Patches, scale: float) -> Array:
    """Effect of each patch (2,R), in the order of ``DIRECTIONS``: 0 none, 1 the mean of the whole edit.

    Noising puts the edited story's values into the original story, denoising does the reverse. The effect is
    the movement of the logit difference towards the run that the values come from, divided by ``scale``: one
    number for all pairs, so that a pair with a tiny gap does not blow up.
    """
    ways = [(sides.original, sides.edited), (sides.edited, sides.original)]
    noised, denoised = (
        patched_logits(lm, into, source, part, patches)
        for into, source in track(ways, "patching both ways", "direction")
    )
    original, edited = (
        sides.difference(side.logits[patches.pair], patches.pair) for side in (sides.original, sides.edited)
    )
    drop = original - sides.difference(noised, patches.pair)
    gained = sides.difference(denoised, patches.pair) - edited
    return np.stack([drop, gained]) / scale


@dataclass(frozen=True, slots=True)
class Averages:
    """Means over pairs for many cells; NaN where no pair has the cell.

    mean, low, high : ndarrays of the same shape; 95 % bootstrap intervals over pairs, with the scale held
        fixed; NaN for a single pair, and if all pairs are equal, where a bootstrap has no width
    n : number of pairs for each cell, of the same shape
    """

    mean: Array
    low: Array
    high: Array
    n: NDArray[np.int_]

    def at(self, *index: int) -> Estimate:
        """One cell."""
        value, low, high = (float(x[index]) for x in (self.mean, self.low, self.high))
        return Estimate(value, low, high, int(self.n[index]))


def average(values: Array, *, seed: int) -> Averages:
    """Averages over the first axis (pairs) of ``values``, ignoring NaN."""
    n_pairs, shape = len(values), values.shape[1:]
    flat = values.reshape(n_pairs, -1)
    is_there = np.isfinite(flat)
    filled = np.where(is_there, flat, 0.0)
    draws = drawn_stories(n_pairs, seed)
    n = is_there.sum(axis=0)
    counts = draws @ is_there.astype(float)
    # A resample that has no pair for a cell is skipped for that cell.
    means = np.divide(draws @ filled, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    centre = np.divide(filled.sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
    low, high = np.full((2, len(n)), np.nan)
    least = np.where(is_there, flat, np.inf).min(axis=0)
    varies = (n > 1) & (np.where(is_there, flat, -np.inf).max(axis=0) > least)
    if varies.any():
        low[varies], high[varies] = np.nanquantile(means[:, varies], [TAIL, 1 - TAIL], axis=0)
    return Averages(*(x.reshape(shape) for x in (centre, low, high, n)))
