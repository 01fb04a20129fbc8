"""Shared by the slot analyses: splits by story, the exchanged-stories control, scores from sums by story.

A score here is a function of sums over rows, such as a correlation. A bootstrap over whole stories therefore
needs one sum per story only; it draws stories as ``lm2viz.estimates.mean`` does.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import TAIL, Estimate, drawn_stories
from lm2viz.sample.banks import slot_parts
from lm2viz.sample.rows import BankRows

MIN_STORIES = 8  # a quarter to fit on, a quarter to choose on, half held out
TOLERANCE = 1e-3  # share of the bank's root mean square: a slot that varies less counts as constant
NOTHING_VARIES = "nothing varies"
NOTHING = Estimate(np.nan, np.nan, np.nan, 0)


def split_stories(rows: BankRows, *, seed: int) -> tuple[BankRows, BankRows]:
    """The rows of a random half of the stories, and those of the other half."""
    stories = np.random.default_rng(seed).permutation(np.unique(rows.story))
    is_first = np.isin(rows.story, stories[: len(stories) // 2])
    return rows.take(is_first), rows.take(~is_first)


def check_enough(n_stories: int) -> None:
    """Refuse fewer than ``MIN_STORIES`` stories."""
    if n_stories < MIN_STORIES:
        raise UserError(
            f"{n_stories} stories are too few to hold some out; record at least {MIN_STORIES}, better 100"
        )


def check_same_stories(first: BankRows, second: BankRows) -> None:
    """Refuse rows that do not belong to the same sentences."""
    if len(first.story) != len(second.story):
        why = f"{len(first.story)} and {len(second.story)} rows, {first.n_nan} and {second.n_nan} not finite"
    elif (first.story != second.story).any() or (first.segment != second.segment).any():
        why = "stories of different lengths"
    elif not first.facts.equals(second.facts):
        why = "different facts at the same sentences"
    else:
        return
    raise UserError(f"the models read different stories ({why}); have both read the same, in the same order")


def check_facts(rows: BankRows) -> None:
    """Refuse rows without any known fact."""
    if rows.facts.notna().to_numpy().sum() == 0:
        raise UserError(
            "no fact is known in these stories; use generated stories, or give a table of facts: --labels "
            "FILE, in Python bank_rows(trace, read_labels(FILE))"
        )


def swap_story_banks(rows: BankRows, *, seed: int) -> BankRows:
    """Give each story the banks of another one, sentence by sentence; only the position still fits.

    Where the other story is shorter, its last bank is repeated.
    """
    stories, first, n_rows = np.unique(rows.story, return_index=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(stories))
    source = np.empty_like(order)
    source[order] = np.roll(order, 1)  # a ring: no story keeps its own
    by_place = np.lexsort((rows.segment, rows.story))  # rows of a story side by side
    start = np.concatenate([[0], np.cumsum(n_rows)[:-1]])
    donors = np.empty(len(rows.story), dtype=int)
    for i, j in enumerate(source):
        taker = by_place[start[i] : start[i] + n_rows[i]]
        donor = start[j] + np.minimum(np.arange(n_rows[i]), n_rows[j] - 1)
        donors[taker] = by_place[donor]
    return replace(rows, banks=rows.banks[donors])


def is_varying(rows: BankRows) -> NDArray[np.bool_]:
    """Which slots (n_slots,) vary between rows by more than ``TOLERANCE`` of the bank's root mean square."""
    squares, variances = [], []
    for part in slot_parts(rows.banks):
        banks = rows.banks[:, part]
        squares.append(np.square(banks, dtype=float).mean(axis=(0, 2)))
        variances.append(banks.var(axis=0, dtype=float).mean(axis=-1))
    size = np.sqrt(np.concatenate(squares).mean())
    return np.asarray(np.sqrt(np.concatenate(variances)) > TOLERANCE * size)


def sums_by_story(values: Array, story: NDArray[np.int_]) -> Array:
    """``values`` (n_rows, ...) summed by story, (n_stories, ...)."""
    stories, place = np.unique(story, return_inverse=True)
    sums = np.zeros((len(stories), *values.shape[1:]))
    np.add.at(sums, place, values)
    return sums


def estimate_from_sums(sums: Array, score: Callable[[Array], Array], *, seed: int) -> Estimate:
    """The score of the total of ``sums`` (n_stories, ...), with a bootstrap interval over stories.

    ``NOTHING`` if there is no story or the score is NaN; n counts stories.

    score : maps totals (n_draws, ...) to scores (n_draws,)
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
