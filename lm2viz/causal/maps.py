"""Causal map of the bank: which slot, after which sentence, carries what a counterfactual pair changes.

Activation patching (Zhang and Nanda 2023, arXiv:2309.16042) between the two sides of each pair: one slot
after one sentence is taken from the other side, the rest of the story is read, and the question is asked.
parts.py patches what blocks write. Axes: those of patching.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray

from lm2core.babi.counterfactual import Counterfactual
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.pairs import (
    DIRECTIONS,
    PAIRS,
    PLACEBOS,
    Averages,
    Sides,
    average,
    effects,
    read_sides,
    scale_of,
)
from lm2viz.causal.patching import BANK, Patches
from lm2viz.estimates import Estimate, mean, share
from lm2viz.figures.causal_maps import MapPanel, stacked_maps, step_names
from lm2viz.progress import track

UNKNOWN = Estimate(np.nan, np.nan, np.nan, 0)


@dataclass(frozen=True, slots=True)
class DirectionEffect:
    """One direction of patching.

    strongest : effect of each pair's strongest slot after the changed sentence
    placebo : control, the same for the placebos, with their own strongest slots
    localised : share of pairs in which the effect grows most at a changed sentence and not later. Pairs that
        change their last sentence are excluded; n = 0 if there are no others.
    localised_placebo : the same for placebos. It is high too, since no patch before the change has an effect;
        pairs differ from placebos in the size of the effect.
    chance : the same for a sentence drawn at random from the first changed one on
    """

    direction: str
    strongest: Estimate
    placebo: Estimate
    localised: Estimate
    localised_placebo: Estimate
    chance: float


@dataclass(frozen=True, slots=True)
class CausalMap:
    """Effects of patching one slot after one sentence: 0 is no effect, 1 the mean effect of the whole edit.

    description : task, kind and number of pairs and placebos
    scale : the unit of effects: logits by which the edit moves the difference between the two answers
    steps : sentences after the first changed one, which is 0
    pairs, placebos : effects by direction, step and slot
    """

    model: str
    description: str
    scale: Estimate
    steps: NDArray[np.int_]
    pairs: Averages
    placebos: Averages
    by_direction: tuple[DirectionEffect, DirectionEffect]

    @property
    def verdict(self) -> str:
        """How far one slot, taken from the edited story, moves the answer, beside placebos, in a sentence."""
        it = self.by_direction[0]
        own, placebo = (round(e.value, 2) + 0.0 for e in (it.strongest, it.placebo))  # no "-0%"
        return (
            f"Taking one slot from the edited story moves the answer by {own:.0%} of the whole edit; in "
            f"placebos, by {placebo:.0%}."
        )

    def summary(self) -> str:
        """The verdict; the share of the edit that one slot carries, and at which sentence, both ways."""
        what = f"Effect of patching one slot in {self.model}, {self.description}"
        lines = [self.verdict, f"{what}; 1 is {self.scale} logits"]
        for it in self.by_direction:
            lines.append(
                f"{it.direction}: strongest slot after the changed sentence {it.strongest}; "
                f"placebos {it.placebo}"
            )
            if it.localised.n:
                where = (
                    f"{it.localised.as_share()}, at random {it.chance:.1%}; "
                    f"placebos {it.localised_placebo.as_share()}"
                )
            else:
                where = "not measured, since every pair changes its last sentence"
            lines.append(f"  effect grows most at a changed sentence: {where}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per set (pairs or placebos), direction, step and slot."""
        axes = (DIRECTIONS, self.steps.tolist(), range(self.pairs.mean.shape[-1]))
        return pd.concat(
            pd.DataFrame(product([name], *axes), columns=["set", "direction", "step", "slot"]).assign(
                effect=it.mean.ravel(), low=it.low.ravel(), high=it.high.ravel(), n=it.n.ravel()
            )
            for name, it in ((PAIRS, self.pairs), (PLACEBOS, self.placebos))
        ).reset_index(drop=True)

    def figure(self) -> go.Figure:
        """Step by slot in both directions, for pairs and placebos."""
        panels = [
            [
                MapPanel(
                    f"{direction}, {name}",
                    it.mean[i],
                    step_names(self.steps, it.n[i, :, 0]),
                    "slot",
                    highlight_row=int(np.flatnonzero(self.steps == 0)[0]),
                )
                for name, it in ((PAIRS, self.pairs), (PLACEBOS, self.placebos))
            ]
            for i, direction in enumerate(DIRECTIONS)
        ]
        return stacked_maps(panels, row_title="sentences after the changed one")


def causal_map(
    lm: LoadedModel,
    pairs: Sequence[Counterfactual],
    placebos: Sequence[Counterfactual],
    *,
    seed: int = 0,
) -> CausalMap:
    """Patch every slot after every sentence between the sides of each pair, in both directions.

    Noising puts the edited story's slot into the original story (is it necessary?), denoising does the
    reverse (is it sufficient?). The measure is the logit of the original story's answer minus that of the
    edited story's, divided by its mean change over the pairs. Placebos have the same answer on both sides;
    theirs is compared with the best other word, in the same unit.

    pairs : with equal numbers of sentences: ``draw_counterfactuals("qa1", "place", 60, seed, n_sentences=8)``
    placebos : likewise, of kind "placebo"

    Raises
    ------
    UserError
        For no pairs, equal answers of pairs or different ones of placebos, unequal lengths, unknown words,
        positional routing, or a model whose answers do not follow the edit.
    """
    sides = read_sides(lm, pairs, [BANK], is_placebo=False)
    control = read_sides(lm, placebos, [BANK], is_placebo=True)
    scale = scale_of(sides, seed)
    of_pairs, of_placebos = (
        _effects(lm, it, scale.value) for it in track((sides, control), "patching pairs, placebos", "set")
    )
    reach = max(of_pairs.shape[2], of_placebos.shape[2])
    aligned = [align(values, it.changed, reach) for values, it in ((of_pairs, sides), (of_placebos, control))]
    has_any = np.any([np.isfinite(values).any(axis=(0, 1, 3)) for values in aligned], axis=0)
    by_direction = [
        _direction_effect(i, of_pairs, sides, of_placebos, control, seed) for i in range(len(DIRECTIONS))
    ]
    return CausalMap(
        lm.name,
        describe(pairs, placebos),
        scale,
        np.arange(1 - reach, reach)[has_any],
        average(aligned[0][:, :, has_any], seed=seed),
        average(aligned[1][:, :, has_any], seed=seed),
        (by_direction[0], by_direction[1]),
    )


def describe(pairs: Sequence[Counterfactual], placebos: Sequence[Counterfactual]) -> str:
    """Task, kind and number of the pairs and placebos, in words."""
    kinds = ", ".join(sorted({f"{p.task} {p.kind!r}" for p in pairs}))
    return f"{len(pairs)} pairs ({kinds}) of {len(pairs[0].sentences)} sentences, {len(placebos)} placebos"


def _effects(lm: LoadedModel, sides: Sides, scale: float) -> Array:
    """Effects (P,2,S,N)."""
    n_pairs, n_steps, _, n_slots = sides.original.points[BANK.points[0]].shape[:4]
    steps = torch.arange(n_steps, device=sides.rival_ids.device).expand(n_pairs, -1)
    patches = Patches.grid(steps, 1, range(n_slots))
    flat = effects(lm, sides, BANK, patches, scale)
    return flat.reshape(2, n_pairs, n_steps, n_slots).swapaxes(0, 1)


def align(values: Array, changed: NDArray[np.int_], reach: int) -> Array:
    """Effects (P,2,S,...) aligned to each pair's changed sentence, (P,2,2*reach-1,...); NaN outside."""
    n_pairs, _, n_steps = values.shape[:3]
    change = np.full((n_pairs, 2, 2 * reach - 1, *values.shape[3:]), np.nan)
    for row, it, first in zip(change, values, changed, strict=True):
        start = reach - 1 - first
        row[:, start : start + n_steps] = it
    return change


def _direction_effect(
    i: int, of_pairs: Array, sides: Sides, of_placebos: Array, control: Sides, seed: int
) -> DirectionEffect:
    """Summarise effects (P,2,S,N) in direction ``i``."""
    strength, hits = _strength(of_pairs[:, i], sides)
    placebo, placebo_hits = _strength(of_placebos[:, i], control)
    has_choice = sides.changed < sides.is_changed.shape[1] - 1
    chances = sides.is_changed.sum(axis=1) / (sides.is_changed.shape[1] - sides.changed)
    return DirectionEffect(
        DIRECTIONS[i],
        mean(strength, seed=seed),
        mean(placebo, seed=seed),
        share(hits) if len(hits) else UNKNOWN,
        share(placebo_hits) if len(placebo_hits) else UNKNOWN,
        float(chances[has_choice].mean()) if len(hits) else np.nan,
    )


def _strength(values: Array, sides: Sides) -> tuple[Array, NDArray[np.bool_]]:
    """Effect of the strongest slot at the changed sentence (P,), and whether it grows most at a changed one.

    ``values`` are effects (P,S,N); the second array covers only pairs with a sentence after the changed one.
    """
    strength = values.max(axis=-1)  # (P,S)
    gain = np.diff(strength, axis=1, prepend=0.0)
    every, last = np.arange(len(gain)), gain.argmax(axis=1)
    is_hit = sides.is_changed[every, last] & (gain[every, last] > 0)
    return strength[every, sides.changed], is_hit[sides.changed < strength.shape[1] - 1]
