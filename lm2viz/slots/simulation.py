"""Explanations of slots, and how well the content they predict agrees with the real content.

Simulate and correlate, after Bills et al. 2023, "Language models can explain neurons in language models": an
explanation simulates what the slot holds at each row; its score is the correlation with the real content.
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
    """A hypothesis of what a slot holds."""

    @property
    def name(self) -> str:
        """The explanation in a few words."""

    def simulate(self, rows: BankRows) -> Array:
        """The content that the slot should have at each row, (n_rows, n_dims); NaN where unknown.

        Must not use ``rows.banks``.
        """


Explainer = Callable[[BankRows, int], Explanation]  # training rows and a slot in, its explanation out


@dataclass(frozen=True, slots=True)
class FactExplanation:
    """The slot holds a fact: each value is simulated by the mean of the training rows that have it.

    means : one row per value, one column per dimension
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
    """Explain a slot by the fact with the best score, fitted to half of the stories and scored on the other.

    The chosen fact is then fitted to all stories.
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
    """Sums of rs, ss and rr over the rows and dimensions of each story in ``test``, (n_stories, 3).

    r is the real content of ``slot`` and s the simulated one, both centred on the mean of the training rows
    that can be simulated. Rows, and stories, that cannot be simulated are skipped.
    """
    is_simulated = np.isfinite(explanation.simulate(train)).all(axis=1)
    simulated = explanation.simulate(test)
    is_scored = np.isfinite(simulated).all(axis=1)
    if not is_simulated.any() or not is_scored.any():
        return np.zeros((0, 3))
    centre = train.banks[is_simulated, slot].mean(axis=0, dtype=float)
    r, s = test.banks[is_scored, slot] - centre, simulated[is_scored] - centre
    products = np.stack([(r * s).sum(axis=1), (s * s).sum(axis=1), (r * r).sum(axis=1)], axis=1)
    return sums_by_story(products, test.story[is_scored])


def correlation(totals: Array) -> Array:
    """Correlations in [-1, 1], (n_draws,), from sums of ``agreement`` (n_draws, 3).

    0 if the simulation is constant, which explains nothing; NaN if the slot is.
    """
    rs, ss, rr = totals.T
    size = np.sqrt(ss * rr)
    return np.divide(rs, size, out=np.where(rr > 0, 0.0, np.nan), where=size > 0)


def explained_share(totals: Array) -> Array:
    """Share of variance explained, 1 - sum (r - s)^2 / sum r^2, at most 1, from the same sums."""
    rs, ss, rr = totals.T
    return np.divide(2 * rs - ss, rr, out=np.full_like(rs, np.nan), where=rr > 0)


def score_explanation(
    explanation: Explanation, train: BankRows, test: BankRows, slot: int, *, seed: int = 0
) -> Estimate:
    """The correlation of a slot's simulated and real content; see ``SlotExplanation``."""
    return estimate_from_sums(agreement(explanation, train, test, slot), correlation, seed=seed)
