"""Probes fact by fact for a page: results side by side, one slot's own probe, and their tables."""

from collections.abc import Mapping

import pandas as pd

from lm2core.errors import UserError
from lm2viz.probes import SlotFacts, slot_fact_matrix
from lm2viz.probes.samples import Slot, fact_samples, untrained_features
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, SHUFFLED, UNTRAINED, Scores, cross_validate
from lm2viz.sample.rows import BankRows

N_FOLDS, SEED = 5, 0
MEANING = {  # of each control, in a line
    UNTRAINED: "the same probes on a model that learnt nothing: random weights carry words too",
    CONTROL_TASK: "a random label for each different sentence: what a probe learns by heart",
    SHUFFLED: "each story has the labels of another one: what a probe scores where there is nothing to find",
    MAJORITY: "always the commonest value of the training stories: no probe at all",
}


def as_slot(name: str) -> Slot:
    """A slot by its name: a number, "best" or "bank"."""
    kinds: dict[str, Slot] = {"best": "best", "bank": "bank"}
    return kinds[name] if name in kinds else int(name)


def probe_fact(rows: BankRows, untrained: BankRows, fact: str) -> SlotFacts | None:
    """Probe every slot for one fact; None where there are too few stories or values to."""
    try:
        fact_samples(rows, fact, n_folds=N_FOLDS, seed=SEED)
    except UserError:
        return None
    return slot_fact_matrix(rows, facts=[fact], untrained=untrained, n_folds=N_FOLDS, seed=SEED)


def side_by_side(slot_facts: Mapping[str, SlotFacts | None]) -> SlotFacts:
    """Results of single facts as one; a fact without one is NaN, as in ``slot_fact_matrix``.

    Raises
    ------
    UserError
        When no fact has a result.
    """
    probed = [one for one in slot_facts.values() if one is not None]
    if not probed:
        raise UserError(
            f"too few stories or values to probe {', '.join(slot_facts)}; a fact needs two values and "
            f"{2 * N_FOLDS} stories that tell it"
        )
    cells = {fact: values for one in probed for fact, values in one.cells.items()}
    best = {fact: scores for one in probed for fact, scores in one.best.items()}
    return SlotFacts(tuple(slot_facts), cells, best)


def best_slots(slot_facts: SlotFacts) -> pd.DataFrame:
    """One row a fact that was probed: its best slot on stories it was not chosen on, with every control."""
    rows = []
    for fact, scores in slot_facts.best.items():
        slots, slot, best_accuracy = scores.slots, slot_facts.slot_of(fact), slot_facts.accuracy(fact)
        controls = {
            name: slot_facts.accuracy(fact, name).value for name in MEANING if name in slot_facts.names
        }
        rows.append(
            {
                "fact": fact,
                "best slot": slot,
                "folds": f"{slots.count(slot)} of {len(slots)}",
                "accuracy": best_accuracy.value,
                "95 % interval": f"{best_accuracy.low:.2f} to {best_accuracy.high:.2f}",
                **controls,
                "selectivity": slot_facts.selectivity(fact).value,
                "sentences": best_accuracy.n,
                "stories": scores.n_stories,
            }
        )
    return pd.DataFrame(rows)


def probe_slot(rows: BankRows, untrained: BankRows, fact: str, slot: Slot) -> Scores:
    """Score one slot's probe, or the whole bank's, and its controls.

    Raises
    ------
    UserError
        As ``slot_fact_matrix`` for a fact asked for by name; for a slot that is not there.
    """
    samples = fact_samples(rows, fact, n_folds=N_FOLDS, seed=SEED)
    features = untrained_features(rows, untrained, fact)
    return cross_validate(samples, slot=slot, n_folds=N_FOLDS, seed=SEED, untrained=features)
