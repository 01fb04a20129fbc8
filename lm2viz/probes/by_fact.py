"""Probes fact by fact, for pages: results of single facts joined, the probe of one slot, and their tables."""

from collections.abc import Mapping

import pandas as pd

from lm2core.errors import UserError
from lm2viz.probes import SlotFacts, probe
from lm2viz.probes.samples import Slot, fact_samples, untrained_features
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, SHUFFLED, UNTRAINED, Scores, cross_validate
from lm2viz.sample.rows import BankRows

N_FOLDS, SEED = 5, 0
MEANING = {  # of each control, in one line
    UNTRAINED: "the same probes on an untrained model: random weights carry information about words too",
    CONTROL_TASK: "a random label for each distinct sentence: what a probe can memorise",
    SHUFFLED: "each story gets the labels of another: what a probe scores when there is nothing to decode",
    MAJORITY: "always the most frequent value in the training stories: no probe at all",
}


def as_slot(name: str) -> Slot:
    """Parse the name of a slot: a number, "best" or "bank"."""
    kinds: dict[str, Slot] = {"best": "best", "bank": "bank"}
    return kinds[name] if name in kinds else int(name)


def probe_fact(rows: BankRows, untrained: BankRows, fact: str) -> SlotFacts | None:
    """Probe every slot for one fact; None if there are too few stories or values."""
    try:
        fact_samples(rows, fact, n_folds=N_FOLDS, seed=SEED)
    except UserError:
        return None
    return probe(rows, facts=[fact], untrained=untrained, n_folds=N_FOLDS, seed=SEED)


def side_by_side(slot_facts: Mapping[str, SlotFacts | None]) -> SlotFacts:
    """Join the results of single facts; a fact without a result is NaN, as in ``probe``.

    Raises
    ------
    UserError
        When no fact has a result.
    """
    probed = [result for result in slot_facts.values() if result is not None]
    if not probed:
        raise UserError(
            f"too few stories or values to probe {', '.join(slot_facts)}; a fact needs two values and "
            f"{2 * N_FOLDS} stories in which it is known"
        )
    cells = {fact: values for result in probed for fact, values in result.cells.items()}
    best = {fact: scores for result in probed for fact, scores in result.best.items()}
    p = {fact: values for result in probed for fact, values in result.p.items()}
    return SlotFacts(tuple(slot_facts), cells, best, p)


def best_slots(slot_facts: SlotFacts) -> pd.DataFrame:
    """One row per probed fact: its best slot, scored on held-out stories, with every control."""
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
    """Score the probe of one slot, or of the whole bank, and its controls.

    Raises
    ------
    UserError
        As ``probe`` for a named fact; for a slot that the bank does not have.
    """
    samples = fact_samples(rows, fact, n_folds=N_FOLDS, seed=SEED)
    features = untrained_features(rows, untrained, fact)
    return cross_validate(samples, slot=slot, n_folds=N_FOLDS, seed=SEED, untrained=features)
