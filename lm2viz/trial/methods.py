"""What each method says of a case: the slots that matter to the answers about one fact.

Methods that give every slot a number, and no test of it, name those with at least ``NAMED`` of the highest.
"""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import ArrayLike

from lm2core.reading.answers import read_stories
from lm2core.reading.loaded_model import untrained
from lm2core.reading.story_traces import record_questions
from lm2viz.causal.gradients import INTEGRATED, TIMES_CHANGE, path_points
from lm2viz.causal.maps import causal_map
from lm2viz.causal.questions import LogitDifferences
from lm2viz.causal.slot_sets import search_slots
from lm2viz.causal.slot_use import LEVEL, FactUse, fact_use
from lm2viz.causal.subspace import random_subspace
from lm2viz.causal.subspace_training import train_subspace
from lm2viz.estimates import MARGIN, corrected
from lm2viz.probes import probe
from lm2viz.provenance import trace_answer
from lm2viz.sample.rows import bank_rows
from lm2viz.trial.family import Case
from lm2viz.trial.stories import question_of

Method = Callable[[Case], Collection[int]]

NAMED = 0.2  # of the highest score
N_DIMS = 3  # of the subspace: four places differ in three
MOST = 3  # slots in a set
N_TRACED = 20  # stories whose answers are traced back


def decoded(case: Case) -> Collection[int]:
    """The slots from which a probe decodes the fact, beyond its controls, corrected for all slots."""
    rows = [
        bank_rows(read_stories(lm, case.stories, names=["hook_bank"]))
        for lm in (case.lm, untrained(case.lm, case.seed))
    ]
    found = probe(rows[0], facts=[case.fact], untrained=rows[1], seed=case.seed)
    return np.flatnonzero(corrected(found.p[case.fact]) <= LEVEL).tolist()


def zeroed(case: Case) -> Collection[int]:
    """The slots whose zeroing changes over 10 % of the answers, by the whole interval."""
    return np.flatnonzero(_use(case).edits["zero"].low > MARGIN).tolist()


def interchanged(case: Case) -> Collection[int]:
    """The slots that are used by the words of ``slot_use``: each alone, corrected for all slots."""
    return np.flatnonzero(corrected(_use(case).p) <= LEVEL).tolist()


def _use(case: Case) -> FactUse:
    return fact_use(case.scorer, len(case.stories), case.seed)


def smallest_set(case: Case) -> Collection[int]:
    """The smallest set of slots that carries the fact alone; none if no set reaches the goal."""
    found = search_slots(
        case.lm, case.stories, case.fact, most=MOST, seed=case.seed, question_of=question_of
    ).found
    return found.slots if found else ()


def gradient(case: Case) -> Collection[int]:
    """Gradient times change, from the fresh bank."""
    return _attributed(case, TIMES_CHANGE)


def integrated_gradients(case: Case) -> Collection[int]:
    """Integrated gradients, from the fresh bank."""
    return _attributed(case, INTEGRATED)


def _attributed(case: Case, method: str) -> Collection[int]:
    """Slots by what they add to the logit of the right answer over another one."""
    it = case.scorer
    words = it.banks.as_tensor(np.stack([it.clean, it.after], axis=1))
    banks = it.banks.contents(it.base)
    fresh = case.lm.model.new_memory(len(banks)).detach()
    logits = LogitDifferences(case.lm, [p.question for p in it.pairs], words)
    return _highest(logits.attributed(banks, fresh, path_points(method)).mean(axis=0))


def provenance(case: Case) -> Collection[int]:
    """The slots that the question read content from, as provenance weights them."""
    trace = read_stories(case.lm, case.stories[:N_TRACED])
    questions = record_questions(case.lm, trace)
    shares = [trace_answer(trace, questions, i).slot_share_of_read.sum(axis=0) for i in range(N_TRACED)]
    return _highest(np.mean(shares, axis=0))


def patching(case: Case) -> Collection[int]:
    """Activation patching between stories that differ in one place: the mean effect of each slot."""
    effects = causal_map(case.lm, *case.counterfactuals, seed=case.seed).pairs.mean
    return _highest(np.nanmean(effects, axis=(0, 1)))


def alignment_search(case: Case) -> Collection[int]:
    """Distributed alignment search in the whole bank: the slots that the subspace lies in."""
    slots, n_values = range(case.n_slots), case.n_slots * case.lm.model.config.bank_width
    start = random_subspace(slots, n_values, N_DIMS, np.random.default_rng(case.seed))
    found = train_subspace(case.scorer, start, seed=case.seed)
    return _highest(list(found.share_by_slot.values()))


def at_random(case: Case) -> Collection[int]:
    """A control: one slot drawn at random."""
    return [int(np.random.default_rng([case.seed, *case.fact.encode()]).integers(case.n_slots))]


def _highest(scores: ArrayLike) -> list[int]:
    values = np.asarray(scores)
    return np.flatnonzero(values >= NAMED * values.max()).tolist() if values.max() > 0 else []


METHODS: dict[str, Method] = {
    "probe": decoded,
    "zero": zeroed,
    "gradient x change": gradient,
    "integrated gradients": integrated_gradients,
    "provenance": provenance,
    "patching": patching,
    "interchange": interchanged,
    "smallest set": smallest_set,
    "alignment search": alignment_search,
    "random slot": at_random,
}
