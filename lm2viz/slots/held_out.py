"""What the analyses of slots share: halves of stories, stories exchanged, scores from sums over stories.

A score here is a function of sums over rows, such as a correlation. So its bootstrap over whole stories needs
one sum per story, and draws stories as ``lm2viz.estimates.mean`` does.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import TAIL, Estimate, drawn_stories
from lm2viz.sample.rows import BankRows

MIN_STORIES = 8  # a quarter of them fits, a quarter chooses, half is held out
TOLERANCE = 1e-3  # a slot that moves less than this share of the bank's size does not vary
NOTHING_VARIES = "nothing varies"
NOTHING = Estimate(np.nan, np.nan, np.nan, 0)


def split_stories(rows: BankRows, *, seed: int) -> tuple[BankRows, BankRows]:
    """The rows of one half of the stories, drawn at random, and those of the other."""
    stories = np.random.default_rng(seed).permutation(np.unique(rows.story))
    is_first = np.isin(rows.story, stories[: len(stories) // 2])
    return rows.take(is_first), rows.take(~is_first)


def check_enough(n_stories: int) -> None:
    """Refuse fewer stories than two halves, one of them halved again, need."""
    if n_stories < MIN_STORIES:
        raise UserError(
            f"{n_stories} stories are too few to hold some out; record at least {MIN_STORIES}, better 100"
        )


def check_same_stories(first: BankRows, second: BankRows) -> None:
    """Refuse rows that are not of the same sentences."""
    if len(first.story) != len(second.story):
        text = f"{len(first.story)} and {len(second.story)} rows, {first.n_nan} and {second.n_nan} not finite"
    elif (first.story != second.story).any() or (first.segment != second.segment).any():
        text = "stories of other lengths"
    elif not first.facts.equals(second.facts):
        text = "other facts at the same sentences"
    else:
        return
    raise UserError(f"the models read different stories ({text}); let both read the same, in the same order")


def check_facts(rows: BankRows) -> None:
    """Refuse rows of which nothing is known."""
    if rows.facts.notna().to_numpy().sum() == 0:
        raise UserError(
            "no fact is known of these stories; take generated ones, or give a table of facts: --labels "
            "FILE, in Python bank_rows(trace, read_labels(FILE))"
        )


def swap_story_banks(rows: BankRows, *, seed: int) -> BankRows:
    """Each story with the banks of another one, sentence by sentence: nothing but the place in a story fits.

    Where the other story is shorter, its last bank stands for the rest.
    """
    stories, first, n_rows = np.unique(rows.story, return_index=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(stories))
    source = np.empty_like(order)
    source[order] = np.roll(order, 1)  # a ring: no story keeps its own
    by_place = np.lexsort((rows.segment, rows.story))  # rows of a story side by side
    start = np.concatenate([[0], np.cumsum(n_rows)[:-1]])
    banks = np.empty_like(rows.banks)
    for i, j in enumerate(source):
        true_class = by_place[start[i] : start[i] + n_rows[i]]
        places = start[j] + np.minimum(np.arange(n_rows[i]), n_rows[j] - 1)
        banks[true_class] = rows.banks[by_place[places]]
    return replace(rows, banks=banks)


def is_varying(rows: BankRows) -> NDArray[np.bool_]:
    """Whether each slot differs between rows, by more than ``TOLERANCE`` times the bank's own size."""
    size = np.sqrt(np.square(rows.banks, dtype=float).mean())
    spread = np.sqrt(rows.banks.var(axis=0, dtype=float).mean(axis=-1))
    return np.asarray(spread > TOLERANCE * size)


def sums_by_story(values: Array, story: NDArray[np.int_]) -> Array:
    """``values`` (n_rows, ...) added up by story, (n_stories, ...)."""
    stories, place = np.unique(story, return_inverse=True)
    sums = np.zeros((len(stories), *values.shape[1:]))
    np.add.at(sums, place, values)
    return sums


def estimate_from_sums(sums: Array, score: Callable[[Array], Array], *, seed: int) -> Estimate:
    """A score of the totals of ``sums`` (n_stories, ...), its interval from stories drawn anew; n is stories.

    ``NOTHING`` where there is no story or the score is NaN.

    score : from totals (n_draws, ...) to (n_draws,)
    """
    n = len(sums)
    if n == 0:
        return NOTHING
    (value,) = score(sums.sum(axis=0)[None])
    if np.isnan(value):
        return NOTHING
    drawn = drawn_stories(n, seed)
    low, high = np.nanquantile(score(np.tensordot(drawn, sums, axes=1)), [TAIL, 1 - TAIL])
    return Estimate(float(value), float(low), float(high), n)
