"""Effects of interventions on the answers to many stories, with placebos.

Axes: those of interventions.py, Q question, V word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.describe import action_in_words, reach
from lm2viz.causal.editing import Intervention, as_list
from lm2viz.causal.placebos import RandomVectors, interventions_on_other_slots
from lm2viz.causal.running import Stories, run
from lm2viz.causal.sample_parts import Part, SampleParts
from lm2viz.estimates import Estimate, mean, sign_flip_p
from lm2viz.figures.effects import effect_points
from lm2viz.progress import track

INTERVENTION, OTHER_SLOT, RANDOM_VECTOR = "intervention", "placebo: other slots", "placebo: random vector"
VARIANTS = (INTERVENTION, OTHER_SLOT, RANDOM_VECTOR)
MEASURES = ("logit difference", "probability", "accuracy")
IS_SHARE = (False, True, True)


@dataclass(frozen=True, slots=True)
class Change:
    """One measure under the intervention or a placebo; ``change`` is edited minus unedited, per question.

    p : sign-flip p over stories; the null hypothesis is no change
    p_apart : for a placebo, p that it changes as much as the intervention; NaN for the intervention itself

    A placebo that is not possible has NaN everywhere and n = 0.
    """

    variant: str
    measure: str
    before: Estimate
    after: Estimate
    change: Estimate
    p: float
    p_apart: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Changes by interventions and by their placebos.

    n_placebos : number of draws that each placebo averages; fewer if there are fewer other slots
    """

    interventions: tuple[Intervention, ...]
    model: str
    n_stories: int
    n_placebos: int
    changes: tuple[Change, ...]

    def of(self, measure: str, variant: str = INTERVENTION) -> Change:
        """One of the changes."""
        return next(c for c in self.changes if (c.measure, c.variant) == (measure, variant))

    @property
    def verdict(self) -> str:
        """What the edits do to the share of right answers, beside the same on other slots, in a sentence."""
        own, other = self.of("accuracy"), self.of("accuracy", OTHER_SLOT)
        levels = f"from {own.before.value:.0%} to {own.after.value:.0%}"
        control = f"the same on other slots, to {other.after.value:.0%}"
        if own.change.low <= 0 <= own.change.high:
            did = f"makes no clear difference to the share of right answers ({levels})"
        else:
            did = f"{'lowers' if own.change.value < 0 else 'raises'} the share of right answers {levels}"
        tail = f"; {control}" if other.change.n else ""
        return f"{action_in_words(self.interventions)} {did}{tail}."

    def summary(self) -> str:
        """The verdict, then the change of each measure by the intervention and by its placebos."""
        names = " + ".join(edit.kind for edit in self.interventions)
        lines = [self.verdict]
        lines += [f"Effect of {names} in {self.model}: {self.n_stories} stories, 95 % intervals over stories"]
        lines.append(reach(self.interventions))
        for measure in MEASURES:
            it = self.of(measure)
            changed = f"{it.before.value:.3g} to {it.after.value:.3g}, change {it.change}"
            lines.append(f"{measure}: {changed}, p = {it.p:.2g}")
            for variant in (OTHER_SLOT, RANDOM_VECTOR):
                c = self.of(measure, variant)
                difference = f"{c.change}, difference to the intervention p = {c.p_apart:.2g}"
                text = difference if c.change.n else "not possible here"
                lines.append(f"  {variant}: {text}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per variant and measure."""
        return pd.DataFrame(
            {
                "variant": c.variant,
                "measure": c.measure,
                "before": c.before.value,
                "after": c.after.value,
                "change": c.change.value,
                "low": c.change.low,
                "high": c.change.high,
                "n": c.change.n,
                "p": c.p,
                "p_apart": c.p_apart,
            }
            for c in self.changes
        )

    def figure(self) -> go.Figure:
        """A point with its interval for each variant and measure."""
        change, low, high = (
            np.array([[getattr(self.of(m, v).change, name) for m in MEASURES] for v in VARIANTS])
            for name in ("value", "low", "high")
        )
        return effect_points(change, low, high, variants=VARIANTS, measures=MEASURES, is_share=IS_SHARE)


def effect(
    lm: LoadedModel,
    stories: Stories,
    interventions: Intervention | Sequence[Intervention],
    *,
    seed: int = 0,
    n_placebos: int = 5,
) -> Effect:
    """Read stories with and without the interventions, and with two placebos; any number of them, in parts.

    The logit difference is between the right answer and the best other word without interventions. Placebos:
    the same interventions on other slots, drawn at random; and a random vector of the same norm in place of
    each slot's change in the bank that a question is asked of. A clamped output gate changes no slot; there
    the random vector replaces the change of what memory adds to each word of the question.

    Raises
    ------
    UserError
        As ``run``; without interventions; for fewer than one placebo.
    """
    interventions = as_list(interventions)
    if not interventions or n_placebos < 1:
        raise UserError(
            f"got {len(interventions)} interventions and {n_placebos} placebos; give at least one of each"
        )
    rng = np.random.default_rng(seed)
    elsewhere = interventions_on_other_slots(interventions, lm.model.config.memory_slots, n_placebos, rng)
    parts = SampleParts(lm, stories, [interventions, *elsewhere])
    vectors = RandomVectors(lm, stories, interventions, n_placebos, rng)
    story, before, by_variant = zip(
        *(_of_part(lm, part, vectors) for part in track(parts, "reading edited stories", "part")),
        strict=True,
    )
    after = {variant: np.concatenate([part[variant] for part in by_variant], axis=1) for variant in VARIANTS}
    if not vectors.is_possible:
        after[RANDOM_VECTOR][:] = np.nan
    asked_of = np.concatenate(story)
    changes = _changes(np.concatenate(before, axis=1), after, asked_of, seed)
    return Effect(tuple(interventions), lm.name, len(np.unique(asked_of)), n_placebos, changes)


def _of_part(
    lm: LoadedModel, part: Part, vectors: RandomVectors
) -> tuple[NDArray[np.int_], Array, dict[str, Array]]:
    """The story of each question (Q,), the measures (3,Q) without an edit, and those of each variant."""
    variants = [[], *part.edits]
    runs = (
        run(lm, part.stories, edits, reference=part.reference)
        for edits in track(variants, "reading a part with each edit", "run")
    )
    clean, edited, of_placebos = next(runs), next(runs), [it.logits for it in runs]
    without_answer = clean.logits.scatter(1, clean.answer_ids[:, None], -torch.inf)
    rival_ids = without_answer.argmax(-1)

    def measured(logits_list: Sequence[Tensor]) -> Array:
        """Measures (3,Q), the mean over draws; NaN without any."""
        if not logits_list:
            return np.full((len(MEASURES), len(clean.story)), np.nan)
        return np.mean([_measured(logits, clean.answer_ids, rival_ids) for logits in logits_list], axis=0)

    after = {
        INTERVENTION: measured([edited.logits]),
        OTHER_SLOT: measured(of_placebos),
        RANDOM_VECTOR: measured(vectors.logits(part.stories, clean, edited)),
    }
    return clean.story + part.first, measured([clean.logits]), after


def _measured(logits_QV: Tensor, answer_Q: Tensor, rival_Q: Tensor) -> Array:
    """The measures of every question, (3,Q), in the order of ``MEASURES``."""
    questions = torch.arange(len(logits_QV), device=logits_QV.device)
    difference = logits_QV[questions, answer_Q] - logits_QV[questions, rival_Q]
    probability = logits_QV.float().softmax(-1)[questions, answer_Q]
    is_right = logits_QV.argmax(-1) == answer_Q
    return torch.stack([difference.float(), probability, is_right.float()]).double().cpu().numpy()


def _changes(
    before: Array, after: dict[str, Array], story: NDArray[np.int_], seed: int
) -> tuple[Change, ...]:
    """All changes with their intervals; ``before`` and each ``after`` are (3,Q)."""
    none = Estimate(np.nan, np.nan, np.nan, 0)

    def p_of(differences: Array) -> float:
        by_story = pd.Series(differences).groupby(story).mean().to_numpy()
        return sign_flip_p(by_story, seed=seed)

    changes = []
    for variant, values in after.items():
        for i, measure in enumerate(MEASURES):
            level, shift = ((0.0, 1.0), (-1.0, 1.0)) if IS_SHARE[i] else (None, None)
            start = mean(before[i], groups=story, seed=seed, within=level)
            if np.isnan(values[i]).all():
                changes.append(Change(variant, measure, start, none, none, np.nan, np.nan))
                continue
            changed = values[i] - before[i]
            end = mean(values[i], groups=story, seed=seed, within=level)
            change = mean(changed, groups=story, seed=seed, within=shift)
            p_apart = np.nan if variant == INTERVENTION else p_of(after[INTERVENTION][i] - values[i])
            changes.append(Change(variant, measure, start, end, change, p_of(changed), p_apart))
    return tuple(changes)
