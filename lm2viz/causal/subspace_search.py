"""The subspace of slots that carries a fact: found on some stories, scored on others, beside its controls."""

from collections.abc import Sequence

import numpy as np

from lm2core.babi.fact_questions import question_about
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2viz.causal.interchange_banks import PairBanks
from lm2viz.causal.interchange_pairs import N_DONORS, QuestionOf, Stories
from lm2viz.causal.interchange_scores import PairScorer, estimate
from lm2viz.causal.interchanging import best_slot, interchange_by_slot, pair_scorer
from lm2viz.causal.subspace import Subspace, check_subspace, random_subspace
from lm2viz.causal.subspace_edits import erasures, exchanging, steering
from lm2viz.causal.subspace_result import (
    FOUND,
    RANDOM,
    SHUFFLED,
    STEERED,
    UNTRAINED,
    WHOLE,
    SubspaceEffects,
)
from lm2viz.causal.subspace_training import train_subspace
from lm2viz.progress import track

N_DIMS = 8


def search_subspace(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    slots: Sequence[int] | None = None,
    *,
    n_dims: int = N_DIMS,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> SubspaceEffects:
    """Find the directions inside slots with which a fact goes, by distributed alignment search.

    Trained on pairs of every other story, scored on pairs of the rest: exchanged, moved to the mean of a
    value (steered), and erased, beside LEACE. Controls: the slots as a whole; random directions; directions
    trained with the answers shuffled among pairs; directions trained in an untrained model.

    slots : where it may lie; None: the slot with the most interchange on the same stories
    n_dims : of the subspace, 1 to 32

    Raises
    ------
    UserError
        As ``interchange``, for either half of the stories; for more dimensions than the slots have.
    """
    config = lm.model.config
    sizes = {"n_slots": config.memory_slots, "width": config.bank_width}
    check_subspace((0,) if slots is None else slots, n_dims, **sizes)
    finder, scorer = (
        pair_scorer(lm, half, fact, n_donors=N_DONORS, seed=seed, question_of=question_of)
        for half in (stories[::2], stories[1::2])
    )
    if slots is None:
        hits = interchange_by_slot(lm, stories[::2], [fact], seed=seed, question_of=question_of)
        slots = (best_slot(hits, fact),)
    rng = np.random.default_rng(seed)
    start, at_random = (random_subspace(slots, len(slots) * sizes["width"], n_dims, rng) for _ in range(2))
    control = untrained(lm, seed)
    finder_of_control, scorer_of_control = (
        PairScorer(PairBanks(control, half, it.pairs), it.pairs)
        for half, it in ((stories[::2], finder), (stories[1::2], scorer))
    )
    runs = {
        FOUND: (finder, scorer, None),
        SHUFFLED: (finder, scorer, rng.permutation(finder.after)),
        UNTRAINED: (finder_of_control, scorer_of_control, None),
    }
    trained: dict[str, Subspace] = {}
    scores, fit = {}, {}
    for name, (learns, judges, targets) in track(runs.items(), "searching subspaces", "subspace"):
        trained[name] = train_subspace(learns, start, targets=targets, seed=seed)
        expected = learns.after if targets is None else targets
        fit[name] = float((learns.answers_to(exchanging(trained[name])) == expected).mean())
        scores[name] = judges.score_edit(exchanging(trained[name]))
    found = trained[FOUND]
    scores |= {
        RANDOM: scorer.score_edit(exchanging(at_random)),
        WHOLE: scorer.score_slots(slots),
        STEERED: scorer.score_edit(steering(found, finder, scorer)),
    }
    order = (FOUND, WHOLE, RANDOM, SHUFFLED, UNTRAINED, STEERED)
    effects = {name: estimate(scores[name], scorer.pairs, seed=seed) for name in order}
    erased = erasures(found, at_random, finder, scorer, seed=seed)
    n_stories = len({p.base for p in scorer.pairs})
    return SubspaceEffects(fact, lm.name, found, effects, fit, erased, len(scorer.pairs), n_stories)
