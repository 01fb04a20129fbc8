"""Halves of stories, exchanged stories, and scores from sums."""

import numpy as np
import pandas as pd
import pytest

from lm2viz.estimates import mean
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import (
    NOTHING,
    estimate_from_sums,
    is_varying,
    split_stories,
    sums_by_story,
    swap_story_banks,
)

N_SLOTS, WIDTH = 3, 4


def rows_of(lengths, *, seed=0):
    """Stories of these lengths; the first value of a bank says where it is from: 100 story + segment."""
    story = np.repeat(np.arange(len(lengths)), lengths)
    segment = np.concatenate([np.arange(n) for n in lengths])
    banks = np.random.default_rng(seed).normal(size=(len(story), N_SLOTS, WIDTH)).astype(np.float32)
    banks[:, 0, 0] = 100 * story + segment
    facts = pd.DataFrame({"mood": np.where(story % 2, "calm", "wild")}, dtype=object)
    return BankRows(banks, story, segment, facts, facts)


def test_no_story_is_in_both_halves_and_none_is_lost():
    rows = rows_of([2, 5, 3, 4, 1, 2, 2])
    first, other = split_stories(rows, seed=3)
    assert set(first.story) | set(other.story) == set(range(7))
    assert not set(first.story) & set(other.story)
    assert (first.n_stories, other.n_stories) == (3, 4)
    assert (split_stories(rows, seed=3)[0].story == first.story).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_story_keeps_its_own_banks_and_places_in_the_story_stay(seed):
    lengths = [2, 5, 3, 4, 1]
    mixed = swap_story_banks(rows_of(lengths), seed=seed)
    from_story, from_segment = np.divmod(mixed.banks[:, 0, 0].astype(int), 100)
    assert (from_story != mixed.story).all()
    assert sorted({(a, b) for a, b in zip(mixed.story, from_story, strict=True)}) == sorted(
        {(a, from_story[mixed.story == a][0]) for a in range(5)}
    )
    assert sorted(np.unique(from_story)) == [0, 1, 2, 3, 4]
    last = np.array(lengths)[from_story] - 1
    assert (from_segment == np.minimum(mixed.segment, last)).all()


def test_rows_in_any_order_are_exchanged_alike():
    rows = rows_of([2, 5, 3, 4])
    order = np.random.default_rng(1).permutation(14)
    one, other = swap_story_banks(rows, seed=2).take(order), swap_story_banks(rows.take(order), seed=2)
    assert (one.banks == other.banks).all()


def test_a_slot_that_hardly_moves_does_not_vary():
    rows = rows_of([30, 40])
    banks = rows.banks.copy()
    banks[:, 0, 0] = 0.0
    banks[:, 1] = 1.0 + 1e-5 * banks[:, 1]
    assert is_varying(BankRows(banks, rows.story, rows.segment, rows.facts, rows.since)).tolist() == [
        True,
        False,
        True,
    ]
    nothing = BankRows(np.zeros_like(banks), rows.story, rows.segment, rows.facts, rows.since)
    assert not is_varying(nothing).any()


def test_a_mean_from_sums_has_the_interval_of_the_estimate_of_means():
    values = np.random.default_rng(5).normal(size=23)
    result = estimate_from_sums(values[:, None], lambda totals: totals[:, 0] / 23, seed=4)
    expected = mean(values, seed=4)
    assert (result.value, result.low, result.high, result.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 23)
    )


def test_without_stories_or_without_a_value_there_is_no_estimate():
    assert estimate_from_sums(np.zeros((0, 2)), lambda totals: totals[:, 0], seed=0) is NOTHING
    assert estimate_from_sums(np.ones((3, 1)), lambda totals: totals[:, 0] * np.nan, seed=0) is NOTHING


def test_sums_are_those_of_each_story():
    values = np.arange(10.0).reshape(5, 2)
    assert sums_by_story(values, np.array([7, 2, 7, 2, 7])).tolist() == [[8.0, 10.0], [12.0, 15.0]]
