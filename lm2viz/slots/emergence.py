"""Emergence: the training step from which on a slot holds a fact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.estimates import Estimate, columns
from lm2viz.figures.slots import emergence_lines
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import (
    NOTHING,
    check_enough,
    check_facts,
    check_same_stories,
    is_varying,
    split_stories,
    swap_story_banks,
)
from lm2viz.slots.simulation import explain_by, score_explanation

THRESHOLD = 0.5  # correlation above the control's


@dataclass(frozen=True, slots=True)
class Emergence:
    """The score of one fact as the explanation of one slot, checkpoint by checkpoint.

    slot : the best slot for this fact at the last checkpoint, chosen on the training stories
    scores, shuffled : correlation on held-out stories, and the control, where stories exchanged their banks;
        NaN at a checkpoint where the slot does not vary
    step : the first step from which on, at every checkpoint, the score exceeds its control by ``threshold``
        and the intervals do not overlap; None if there is none
    """

    fact: str
    slot: int
    steps: tuple[int, ...]  # 0: the model before training
    scores: tuple[Estimate, ...]
    shuffled: tuple[Estimate, ...]
    threshold: float
    step: int | None

    def summary(self) -> str:
        """The step of emergence, then the score and its control at every checkpoint."""
        if self.step is None:
            finding = f"slot {self.slot} does not hold {self.fact} at the last checkpoint"
        else:
            finding = f"slot {self.slot} holds {self.fact} from step {self.step} on"
        lines = [
            f"{finding} (criterion: correlation on held-out stories at least {self.threshold} above its "
            "control, intervals apart)"
        ]
        for step, score, control in zip(self.steps, self.scores, self.shuffled, strict=True):
            name = f"step {step}" if step else "untrained"
            lines.append(f"{name}: {score}; control, stories exchanged: {control}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per checkpoint."""
        return pd.DataFrame(
            {
                "step": self.steps,
                "slot": self.slot,
                "fact": self.fact,
                "n_stories": [score.n for score in self.scores],
                **columns("score", self.scores),
                **columns("shuffled", self.shuffled),
            }
        )

    def figure(self) -> go.Figure:
        """The score over training, with its control."""
        return emergence_lines(
            self.steps,
            self.scores,
            self.shuffled,
            emergence=self.step,
            titles=("training step", f"correlation of slot {self.slot} with {self.fact}"),
        )


def emergence(
    checkpoints: Sequence[BankRows],
    steps: Sequence[int],
    fact: str,
    *,
    threshold: float = THRESHOLD,
    seed: int = 0,
) -> Emergence:
    """Find the training step from which on a slot holds ``fact``.

    checkpoints : the same stories, read by the checkpoint of each of ``steps``
    steps : optimizer steps, ascending, one per checkpoint

    Raises
    ------
    UserError
        For steps that do not ascend or do not match the checkpoints, checkpoints with different stories, an
        unknown fact, fewer than ``MIN_STORIES`` stories, or a last checkpoint in which no slot varies.
    """
    _check(checkpoints, steps, fact)
    train, _ = split_stories(checkpoints[-1], seed=seed)
    slot = _best_slot(train, fact)
    scores = [_score(rows, fact, slot, seed) for rows in track(checkpoints, "scoring", "checkpoint")]
    shuffled = [
        _score(swap_story_banks(rows, seed=seed), fact, slot, seed)
        for rows in track(checkpoints, "scoring exchanged stories", "checkpoint")
    ]
    holds = [
        score.value - control.value >= threshold and score.low > control.high
        for score, control in zip(scores, shuffled, strict=True)
    ]
    # number of checkpoints at the end that all meet the criterion
    n_last = next((i for i, is_met in enumerate(reversed(holds)) if not is_met), len(holds))
    step = steps[len(holds) - n_last] if n_last else None
    return Emergence(fact, slot, tuple(steps), tuple(scores), tuple(shuffled), threshold, step)


def _best_slot(train: BankRows, fact: str) -> int:
    """The slot that the fact explains best, fitted on one half of these stories and scored on the other."""
    fitted, scored = split_stories(train, seed=0)
    varying = np.flatnonzero(is_varying(train)).tolist()
    if not varying:
        raise UserError("no slot of the last checkpoint varies over these stories; was it trained?")
    scores = {
        slot: score_explanation(explain_by(fact, fitted, slot), fitted, scored, slot).value
        for slot in track(varying, "choosing the slot", "slot")
    }
    return max(scores, key=lambda slot: np.nan_to_num(scores[slot], nan=-1.0))


def _score(rows: BankRows, fact: str, slot: int, seed: int) -> Estimate:
    train, test = split_stories(rows, seed=seed)
    if not is_varying(train)[slot]:
        return NOTHING
    return score_explanation(explain_by(fact, train, slot), train, test, slot)


def _check(checkpoints: Sequence[BankRows], steps: Sequence[int], fact: str) -> None:
    if not checkpoints or len(checkpoints) != len(steps) or (np.diff(steps) <= 0).any():
        raise UserError(
            f"{len(checkpoints)} checkpoints for steps {list(steps)}; give one step per checkpoint, ascending"
        )
    last = checkpoints[-1]
    for rows in checkpoints:
        check_same_stories(rows, last)
    check_fact(last, fact)
    check_enough(last.n_stories)


def check_fact(rows: BankRows, fact: str) -> None:
    """Refuse an unknown fact; the message names the known ones."""
    check_facts(rows)
    if fact not in rows.facts:
        raise UserError(f"unknown fact {fact!r}; these stories have: {', '.join(rows.facts)}")
