"""Interchange: what a story's answers become when slots of another story's bank are put into its bank.

Source: interchange intervention accuracy of Geiger et al. 2021, arXiv:2106.02997; isolation and its product
with cause as in RAVEL, Huang et al. 2024, arXiv:2402.17700, there for entities, here for facts of a story.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from lm2core.babi.fact_questions import asked_fact, question_about
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2viz.arrays import Array
from lm2viz.causal.interchange_banks import PairBanks, check_slots
from lm2viz.causal.interchange_pairs import N_DONORS, Pair, QuestionOf, Stories, askable_facts, draw_pairs
from lm2viz.causal.interchange_result import CHOSEN, OTHER_FACTS, RANDOM, SAME, UNTRAINED, Interchange
from lm2viz.causal.interchange_scores import (
    Effects,
    PairScorer,
    PairScores,
    answered_rightly,
    estimate,
)
from lm2viz.estimates import NONE
from lm2viz.progress import track

MIN_STORIES = 10  # whose pairs are scored: resamples of fewer say little
N_DRAWS = 3  # of slots for each pair, in the controls that draw them
N_SCAN = 80  # pairs on which one slot after another is tried, to choose one
CARRIES = 0.1  # of the answers, at least, for a slot to count as carrying another fact
NOTHING = Effects(NONE, NONE, NONE, NONE)


def interchange(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    slots: Sequence[int] | None = None,
    *,
    pairs: Sequence[Pair] | None = None,
    n_donors: int = N_DONORS,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> Interchange:
    """Exchange slots between stories and score the answers by what they must become.

    A pair is a base story and a donor, each read up to a moment at which the fact is known. The donor's slots
    are put into the base's bank. The answer about the fact must become what follows from the base's world
    with the donor's fact; the answers about everything else must stay. Controls: as many random other slots;
    the slots that carry other facts best; donors with the same answer, where nothing must change; the same
    slots of an untrained model.

    Parameters
    ----------
    slots : those exchanged; None: the one with the most interchange on every other story, scored on the rest
    pairs : pairs of these stories made by hand, with any questions, instead of drawn ones
    n_donors, seed, question_of : as in ``draw_pairs``

    Raises
    ------
    UserError
        As ``draw_pairs``; for slots that the model does not have, words that it does not know, answers of
        several tokens and positional routing; if fewer than ``MIN_STORIES`` stories have a pair to score.
    """
    if slots is not None:
        check_slots(slots, lm.model.config.memory_slots)
    choosing, is_chosen = stories, slots is None
    if slots is None and pairs is None:
        choosing, stories = stories[::2], stories[1::2]
    if pairs is None:
        pairs = draw_pairs(stories, fact, n_donors=n_donors, seed=seed, question_of=question_of)
    asked = asked_fact(fact)
    facts = [name for name in askable_facts(choosing, question_of) if asked_fact(name) != asked]
    by_fact = interchange_by_slot(lm, choosing, [fact, *facts], seed=seed, question_of=question_of)
    if slots is None:
        slots = (best_slot(by_fact, fact),)
    banks = PairBanks(lm, stories, pairs)
    right = answered_rightly(banks, pairs)
    scored = [p for p in right if not p.agrees]
    n_stories = check_enough(scored, len(pairs), fact)
    carriers = {
        int(hits.argmax()) for name, hits in by_fact.items() if name != fact and hits.max() >= CARRIES
    }
    control = untrained(lm, seed)
    trained, random_weights = (
        PairScorer(banks, scored),
        PairScorer(PairBanks(control, stories, scored), scored),
    )
    rng = np.random.default_rng(seed)
    of_random, of_others = (
        score_random_slots(trained, among, len(slots), rng) if (among := slots_apart - {*slots}) else None
        for slots_apart in ({*range(banks.n_slots)}, carriers)
    )
    effects = {
        CHOSEN: estimate(trained.score_slots(slots), scored, seed=seed),
        RANDOM: _or_nothing(of_random, scored, seed),
        OTHER_FACTS: _or_nothing(of_others, scored, seed),
        SAME: _same_answer(banks, [p for p in right if p.agrees], slots, seed),
        UNTRAINED: estimate(random_weights.score_slots(slots), scored, seed=seed),
    }
    counts = (len(scored), sum(p.agrees for p in pairs), len(pairs) - len(right), n_stories)
    return Interchange(fact, lm.name, tuple(slots), is_chosen, effects, *counts)


def check_enough(scored: Sequence[Pair], n_drawn: int, fact: str) -> int:
    """The number of base stories of these pairs; a UserError if they are too few for an interval."""
    n_stories = len({p.base for p in scored})
    if n_stories < MIN_STORIES:
        raise UserError(
            f"{fact}: {len(scored)} of {n_drawn} pairs can be scored, of {n_stories} stories; an interval "
            f"needs {MIN_STORIES} stories with a pair whose answers differ and are right; give more stories"
        )
    return n_stories


def pair_scorer(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    *,
    n_donors: int,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> PairScorer:
    """The pairs of these stories that can be scored, with their banks.

    Raises
    ------
    UserError
        As ``interchange`` for fact, words, answers and routing, and if the stories are too few.
    """
    drawn = draw_pairs(stories, fact, n_donors=n_donors, seed=seed, question_of=question_of)
    banks = PairBanks(lm, stories, drawn)
    scored = [p for p in answered_rightly(banks, drawn) if not p.agrees]
    check_enough(scored, len(drawn), fact)
    return PairScorer(banks, scored)


def interchange_by_slot(
    lm: LoadedModel,
    stories: Stories,
    facts: Sequence[str],
    *,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> dict[str, Array]:
    """The interchange (N,) of each slot alone for each fact, on few pairs: to choose slots, not to report.

    A fact without a pair that the model answers rightly is missing.
    """
    stories = stories[:N_SCAN]
    pairs: dict[str, list[Pair]] = {}
    for fact in facts:
        with suppress(UserError):  # known in one of these stories
            drawn = draw_pairs(stories, fact, n_donors=1, seed=seed, question_of=question_of)
            pairs[fact] = [replace(p, others=(), follows=()) for p in drawn if not p.agrees]
    banks = PairBanks(lm, stories, [p for of_fact in pairs.values() for p in of_fact])
    hits = {}
    for fact, drawn in track(pairs.items(), "trying slots", "fact"):
        if scored := answered_rightly(banks, drawn):
            scorer = PairScorer(banks, scored)
            hits[fact] = np.array([scorer.score_slots([s]).hit.mean() for s in range(banks.n_slots)])
    return hits


def best_slot(by_fact: dict[str, Array], fact: str) -> int:
    """The slot with the most interchange; a UserError if there was no pair to find it on."""
    if fact not in by_fact:
        raise UserError(f"{fact}: the model answers no pair of these stories rightly; give more stories")
    return int(by_fact[fact].argmax())


def score_random_slots(
    scorer: PairScorer, among: Iterable[int], n: int, rng: np.random.Generator
) -> PairScores:
    """The mean over draws of ``n`` of these slots for each pair, or of all if they are fewer."""
    names = sorted(among)
    draws = []
    for _ in range(N_DRAWS):
        mask = scorer.mask(())
        for row in mask:
            row[rng.permutation(names)[:n]] = True
        draws.append(scorer.score(mask))
    return PairScores.mean(draws)


def _or_nothing(scores: PairScores | None, pairs: Sequence[Pair], seed: int) -> Effects:
    return NOTHING if scores is None else estimate(scores, pairs, seed=seed)


def _same_answer(banks: PairBanks, pairs: Sequence[Pair], slots: Sequence[int], seed: int) -> Effects:
    """What becomes of the pairs that agree, where nothing must change."""
    if not pairs:
        return NOTHING
    return estimate(PairScorer(banks, pairs).score_slots(slots), pairs, seed=seed)
