"""What a slot is said to hold, and how well that agrees with what it does hold.

Simulate and correlate, after Bills et al. 2023, "Language models can explain neurons in language models": an
explanation says what the slot holds at each row; its score is how well that correlates with what is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from lm2viz.arrays import Array
from lm2viz.estimates import Estimate
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_facts, estimate_from_sums, split_stories, sums_by_story


class Explanation(Protocol):
    """What a slot is said to hold."""

    @property
    def name(self) -> str:
        """In a few words."""

    def simulate(self, rows: BankRows) -> Array:
        """What the slot should hold at each row, (n_rows, n_dims); NaN where nothing is said.

        ``rows.banks`` must not be looked at.
        """


Explainer = Callable[[BankRows, int], Explanation]  # training rows and a slot in, its explanation out


@dataclass(frozen=True, slots=True)
class FactExplanation:
    """The slot holds a fact: for each value the mean of the training rows with that value.

    means : one row a value, one column a dimension
    """

    fact: str
    means: pd.DataFrame

    @property
    def name(self) -> str:
        """The fact."""
        return self.fact

    def simulate(self, rows: BankRows) -> Array:
        """The mean of the row's value; NaN where the fact is not known or its value is new."""
        return np.asarray(self.means.reindex(rows.facts[self.fact].to_numpy()), dtype=float)


def explain_by(fact: str, rows: BankRows, slot: int) -> FactExplanation:
    """Explain a slot by a given fact."""
    vectors = pd.DataFrame(rows.banks[:, slot].astype(float))
    return FactExplanation(fact, vectors.groupby(rows.facts[fact].to_numpy()).mean())


def explain_by_best_fact(rows: BankRows, slot: int) -> FactExplanation:
    """Explain a slot by the fact with the best score: fitted to half of the stories, scored on the other.

    The fact that is chosen is fitted to all of them.
    """
    check_facts(rows)
    fitted, scored = split_stories(rows, seed=0)
    scores = [
        correlation(agreement(explain_by(fact, fitted, slot), fitted, scored, slot).sum(axis=0)[None])[0]
        for fact in rows.facts
    ]
    best = int(np.argmax(np.nan_to_num(scores, nan=-1.0)))
    return explain_by(str(rows.facts.columns[best]), rows, slot)


def agreement(explanation: Explanation, train: BankRows, test: BankRows, slot: int) -> Array:
    """Sums over the rows and dimensions of each story in ``test``, (n_stories, 3): rs, ss and rr.

    r is the real content of ``slot`` and s the simulated, both from the mean of the training rows of which
    something is said. Stories of which nothing is said are left out.
    """
    is_said = np.isfinite(explanation.simulate(train)).all(axis=1)
    simulated = explanation.simulate(test)
    is_scored = np.isfinite(simulated).all(axis=1)
    if not is_said.any() or not is_scored.any():
        return np.zeros((0, 3))
    centre = train.banks[is_said, slot].mean(axis=0, dtype=float)
    r, s = test.banks[is_scored, slot] - centre, simulated[is_scored] - centre
    products = np.stack([(r * s).sum(axis=1), (s * s).sum(axis=1), (r * r).sum(axis=1)], axis=1)
    return sums_by_story(products, test.story[is_scored])


def correlation(totals: Array) -> Array:
    """From the sums of ``agreement``, (n_draws, 3), a value in [-1, 1] each.

    A simulation that never leaves the mean explains nothing, 0; where the slot never does it is NaN.
    """
    rs, ss, rr = totals.T
    size = np.sqrt(ss * rr)
    return np.divide(rs, size, out=np.where(rr > 0, 0.0, np.nan), where=size > 0)


def explained_share(totals: Array) -> Array:
    """From the same sums the share of the variance that is simulated, at most 1; 1 - (r - s)^2 / r^2."""
    rs, ss, rr = totals.T
    return np.divide(2 * rs - ss, rr, out=np.full_like(rs, np.nan), where=rr > 0)


def score_explanation(
    explanation: Explanation, train: BankRows, test: BankRows, slot: int, *, seed: int = 0
) -> Estimate:
    """The correlation of simulated and real content of a slot; see ``SlotExplanation``."""
    return estimate_from_sums(agreement(explanation, train, test, slot), correlation, seed=seed)
