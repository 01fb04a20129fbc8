"""The fact that explains each slot best, scored on held-out stories."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, columns
from lm2viz.figures.slots import ranked_bars
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import (
    NOTHING,
    NOTHING_VARIES,
    check_enough,
    estimate_from_sums,
    is_varying,
    split_stories,
    swap_story_banks,
)
from lm2viz.slots.simulation import (
    Explainer,
    agreement,
    correlation,
    explain_by,
    explain_by_best_fact,
    explained_share,
    score_explanation,
)


@dataclass(frozen=True, slots=True)
class SlotExplanation:
    """A slot's explanation and its scores on held-out stories, all NaN for a slot that does not vary.

    name : of the explanation: the fact
    score : correlation in [-1, 1] of simulated and real content over all dimensions and over the held-out
        rows where the explanation predicts something, both centred on the mean of the training rows
    explained : share of variance explained, 1 - mean squared error / variance about that mean; at most 1
    shuffled : control, the score after stories exchanged their banks
    random_fact : control, the score of another fact, drawn at random
    random_slot : control, the score of the same simulation against another slot, drawn at random
    """

    slot: int
    name: str
    score: Estimate
    explained: Estimate
    shuffled: Estimate
    random_fact: Estimate
    random_slot: Estimate

    @property
    def is_explained(self) -> bool:
        """Whether the score's interval lies above those of all controls."""
        controls = (self.shuffled, self.random_fact, self.random_slot)
        return self.score.n > 0 and all(self.score.low > e.high for e in controls if e.n)

    @property
    def verdict(self) -> str:
        """What explains the slot, beside its strongest control, in a sentence."""
        if self.name == NOTHING_VARIES:
            return f"Slot {self.slot} holds the same after every sentence of every story."
        controls = {
            "stories exchanged": self.shuffled,
            "a random other fact": self.random_fact,
            "a random other slot": self.random_slot,
        }
        name, strongest = max(((k, e) for k, e in controls.items() if e.n), key=lambda pair: pair[1].value)
        found = f"is best explained by {self.name}"
        if not self.is_explained:
            found = f"is not explained; the best fact is {self.name}"
        return (
            f"Slot {self.slot} {found}: correlation {self.score.value:.2f} in other stories; strongest "
            f"control ({name}), {strongest.value:.2f}."
        )


@dataclass(frozen=True, slots=True)
class Explanations:
    """Explanations of all slots, best score first, slots that do not vary last.

    n_train, n_test : number of stories that explanations were fitted to, and scored on
    """

    slots: tuple[SlotExplanation, ...]
    n_train: int
    n_test: int

    def of(self, slot: int) -> SlotExplanation:
        """The explanation of one slot."""
        return next(explanation for explanation in self.slots if explanation.slot == slot)

    @property
    def about(self) -> str:
        """How it was measured."""
        return (
            f"Each slot explained by one fact, fitted to {self.n_train} stories and scored on {self.n_test} "
            "others; score: correlation of simulated and real content, 95 % interval over stories"
        )

    @property
    def finding(self) -> str:
        """How many slots are explained."""
        n_explained = sum(explanation.is_explained for explanation in self.slots)
        return f"{n_explained} of {len(self.slots)} slots have a score above all controls, intervals apart"

    def summary(self) -> str:
        """The finding, then each slot with its fact, its score and the controls."""
        lines = [self.finding, self.about]
        for explanation in self.slots:
            if explanation.name == NOTHING_VARIES:
                lines.append(f"slot {explanation.slot}: {NOTHING_VARIES}")
                continue
            controls = ", ".join(
                f"{name} {e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
                for name, e in (
                    ("stories exchanged", explanation.shuffled),
                    ("random fact", explanation.random_fact),
                    ("random slot", explanation.random_slot),
                )
            )
            name = (
                explanation.name if explanation.is_explained else f"not explained (best: {explanation.name})"
            )
            lines.append(f"slot {explanation.slot}: {name}, {explanation.score}; controls: {controls}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per slot."""
        estimate_columns: dict[str, Array] = {}
        for name in ("score", "explained", "shuffled", "random_fact", "random_slot"):
            estimate_columns |= columns(name, [getattr(explanation, name) for explanation in self.slots])
        return pd.DataFrame(
            {
                "slot": [explanation.slot for explanation in self.slots],
                "explanation": [explanation.name for explanation in self.slots],
                "is_explained": [explanation.is_explained for explanation in self.slots],
                "n_stories": [explanation.score.n for explanation in self.slots],
                **estimate_columns,
            }
        )

    def figure(self) -> go.Figure:
        """The score of each slot, with its controls."""
        names = [f"slot {explanation.slot}: {explanation.name}" for explanation in self.slots]
        series = {
            "score": [explanation.score for explanation in self.slots],
            "control: stories exchanged": [explanation.shuffled for explanation in self.slots],
            "control: random fact": [explanation.random_fact for explanation in self.slots],
            "control: random slot": [explanation.random_slot for explanation in self.slots],
        }
        return ranked_bars(
            {"": (names, series)},
            title="correlation of simulated and real content",
            missing=NOTHING_VARIES,
        )


def explain_slots(
    rows: BankRows, *, explain: Explainer = explain_by_best_fact, seed: int = 0
) -> Explanations:
    """Explain every slot on half of the stories and score the explanations on the other half.

    explain : explains a slot from the training rows: by default the best fact, or any other ``Explainer``

    Raises
    ------
    UserError
        When no fact is known, or for fewer than ``MIN_STORIES`` stories.
    """
    check_enough(rows.n_stories)
    train, test = split_stories(rows, seed=seed)
    parts = train, test, *split_stories(swap_story_banks(rows, seed=seed), seed=seed)
    varying = np.flatnonzero(is_varying(train)).tolist()
    rng = np.random.default_rng(seed)
    explanations = [
        _explained(parts, slot, [other for other in varying if other != slot], explain, rng)
        for slot in track(varying, "explaining", "slot")
    ]
    constant = [
        SlotExplanation(slot, NOTHING_VARIES, *[NOTHING] * 5)
        for slot in range(rows.banks.shape[1])
        if slot not in varying
    ]
    explanations.sort(key=lambda explanation: -np.nan_to_num(explanation.score.value, nan=-2.0))
    return Explanations((*explanations, *constant), train.n_stories, test.n_stories)


def _explained(
    parts: tuple[BankRows, BankRows, BankRows, BankRows],
    slot: int,
    others: list[int],
    explain: Explainer,
    rng: np.random.Generator,
) -> SlotExplanation:
    """One slot, explained and scored with its controls.

    parts : training and test rows, then both with the banks of stories exchanged
    """
    train, test, mixed_train, mixed_test = parts
    explanation = explain(train, slot)
    sums = agreement(explanation, train, test, slot)
    facts = [fact for fact in train.facts if fact != explanation.name]
    random_fact = random_slot = NOTHING
    if facts:
        other_fact = explain_by(facts[rng.integers(len(facts))], train, slot)
        random_fact = score_explanation(other_fact, train, test, slot)
    if others:
        random_slot = score_explanation(explanation, train, test, others[rng.integers(len(others))])
    return SlotExplanation(
        slot,
        explanation.name,
        estimate_from_sums(sums, correlation, seed=0),
        estimate_from_sums(sums, explained_share, seed=0),
        score_explanation(explain(mixed_train, slot), mixed_train, mixed_test, slot),
        random_fact,
        random_slot,
    )
