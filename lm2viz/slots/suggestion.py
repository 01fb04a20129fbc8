"""Which slot to inspect first: the one that a fact explains best."""

import numpy as np

from lm2core.errors import UserError
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_enough, check_facts, is_varying, split_stories
from lm2viz.slots.simulation import agreement, correlation, explain_by


def best_explained_slot(rows: BankRows, *, seed: int = 0) -> tuple[int, str]:
    """Slot and fact with the best score, fitted to one half of the stories and scored on the other.

    A suggestion, not a finding: the best of many scores is biased upwards. Measure it on other stories.

    Raises
    ------
    UserError
        When no fact is known, no slot varies, or there are too few stories.
    """
    check_facts(rows)
    check_enough(rows.n_stories)
    fitted, scored = split_stories(rows, seed=seed)
    scores = {
        (slot, str(fact)): correlation(
            agreement(explain_by(fact, fitted, slot), fitted, scored, slot).sum(axis=0)[None]
        )[0]
        for slot in track(np.flatnonzero(is_varying(fitted)).tolist(), "trying facts", "slot")
        for fact in rows.facts
    }
    if not scores:
        raise UserError("no slot varies over these stories; was the model trained?")
    return max(scores, key=lambda one: np.nan_to_num(scores[one], nan=-1.0))
