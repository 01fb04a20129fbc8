"""The smallest set of slots that carries a fact: sets found on some stories and scored on others.

Source: faithfulness, completeness and minimality of circuits, Wang et al. 2023, arXiv:2211.00593; the area
under the faithfulness curve, MIB, Mueller et al. 2025, arXiv:2504.13151 (their CPR), here over the number of
slots.
"""

from collections.abc import Callable, Sequence

import numpy as np

from lm2core.babi.fact_questions import question_about
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.interchange_pairs import Pair, QuestionOf, Stories
from lm2viz.causal.interchange_scores import PairScorer, PairScores, estimate
from lm2viz.causal.interchanging import pair_scorer, score_random_slots
from lm2viz.causal.questions import LogitDifferences
from lm2viz.causal.slot_sets_result import BY_BOTH, BY_GRADIENT, BY_INTERCHANGE, SlotSet, SlotSets
from lm2viz.estimates import Estimate
from lm2viz.progress import track

MOST = 8  # slots in a set
N_SEARCH = 120  # pairs on which sets are compared
N_DONORS = 3  # for each story whose pairs are scored
N_POINTS = 8  # of the path from a slot's content to the donor's, in the gradient's integral


def search_slots(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    *,
    most: int = MOST,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> SlotSets:
    """Sets of one slot to ``most`` slots that carry a fact, grown one slot at a time.

    Three ways to grow: by the slot that adds most interchange; by the one that adds most to interchange and
    isolation together; and in the order of integrated gradients. Sets are found on every other story and
    scored on the rest. Growing is no proof: a set that was not tried may be smaller or better.

    Raises
    ------
    UserError
        As ``interchange``, for either half of the stories; for ``most`` not between 1 and all slots but one.
    """
    n_slots = int(lm.model.config.memory_slots)
    if not 1 <= most < n_slots:
        raise UserError(f"sets of up to {most} slots; this model has {n_slots}: give 1 to {n_slots - 1}")
    finder = pair_scorer(lm, stories[::2], fact, n_donors=N_DONORS, seed=seed, question_of=question_of)
    finder = PairScorer(finder.banks, _spread(finder.pairs, N_SEARCH))
    scorer = pair_scorer(lm, stories[1::2], fact, n_donors=N_DONORS, seed=seed, question_of=question_of)
    orders = {
        BY_INTERCHANGE: _grown(finder, most, lambda it: float(it.hit.mean()), with_others=False),
        BY_BOTH: _grown(
            finder, most, lambda it: float(it.hit.mean() + np.nanmean(it.stay)), with_others=True
        ),
        BY_GRADIENT: _by_gradient(lm, finder)[:most],
    }
    rng = np.random.default_rng(seed)
    of_random = [
        estimate(score_random_slots(scorer, range(n_slots), k, rng), scorer.pairs, seed=seed).interchange
        for k in range(1, most + 1)
    ]
    paths = {
        name: tuple(_set(scorer, order[:k], of_random[k - 1], seed) for k in range(1, most + 1))
        for name, order in track(orders.items(), "scoring sets", "way")
    }
    bank = estimate(scorer.score_slots(range(n_slots)), scorer.pairs, seed=seed)
    n_stories = len({p.base for p in scorer.pairs})
    return SlotSets(fact, lm.name, paths, bank.interchange, len(scorer.pairs), n_stories)


def _spread(pairs: Sequence[Pair], n: int) -> list[Pair]:
    """At most ``n`` of the pairs, from as many stories as there are."""
    if len(pairs) <= n:
        return list(pairs)
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, n).astype(int)]


def _grown(
    scorer: PairScorer, most: int, worth: Callable[[PairScores], float], *, with_others: bool
) -> list[int]:
    """Slots in the order in which each adds most to what the set is worth."""
    chosen: list[int] = []
    for _ in track(range(most), "growing a set", "slot"):
        rest = [slot for slot in range(scorer.banks.n_slots) if slot not in chosen]
        worths = [worth(scorer.score_slots([*chosen, slot], with_others=with_others)) for slot in rest]
        chosen.append(rest[int(np.argmax(worths))])
    return chosen


def _by_gradient(lm: LoadedModel, scorer: PairScorer) -> list[int]:
    """All slots by what each adds to the logit of the new answer over the old, most first."""
    words = np.stack([scorer.after, scorer.clean], axis=1)
    logits = LogitDifferences(lm, [p.question for p in scorer.pairs], scorer.banks.as_tensor(words))
    points = (np.arange(N_POINTS) + 0.5) / N_POINTS, np.full(N_POINTS, 1 / N_POINTS)
    base, donor = (scorer.banks.contents(side) for side in (scorer.base, scorer.donor))
    attributed = logits.attributed(donor, base, points).mean(axis=0)
    return [int(slot) for slot in np.argsort(-attributed, kind="stable")]


def _set(scorer: PairScorer, slots: Sequence[int], of_random: Estimate, seed: int) -> SlotSet:
    """The scores of one set: with it exchanged, with all but it, and with each of its slots left out."""
    it = scorer.score_slots(slots)
    rest = scorer.score_slots([s for s in range(scorer.banks.n_slots) if s not in slots], with_others=False)
    complete = estimate(_as_hits(rest, rest.kept), scorer.pairs, seed=seed).interchange
    without = [
        scorer.score_slots([s for s in slots if s != left_out], with_others=False).hit.mean()
        for left_out in slots
    ]
    least = float(it.hit.mean() - max(without))
    return SlotSet(tuple(slots), estimate(it, scorer.pairs, seed=seed), complete, least, of_random)


def _as_hits(scores: PairScores, values: Array) -> PairScores:
    """The scores with other values in the place of hits, for their interval."""
    return PairScores(values, scores.kept, scores.stay, scores.follow)
