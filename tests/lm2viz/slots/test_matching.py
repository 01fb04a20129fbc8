"""Slots are matched back where they were permuted, and to nothing where stories are others."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import match_slots
from lm2viz.slots.held_out import split_stories, swap_story_banks
from lm2viz.slots.matching import PENALTY
from tests.handmade import SLOT_OF, UNUSED, handmade_lm, handmade_stories
from tests.lm2viz.slots.test_held_out import rows_of

N_STORIES = 40


def in_another_basis(rows, order, width, *, seed=0):
    """The slots in another order, ``copy[i] = slot order[i]``, in a random basis of another width."""
    banks = rows.banks[:, order] @ np.random.default_rng(seed).normal(size=(rows.banks.shape[2], width))
    return replace(rows, banks=banks.astype(np.float32))


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), handmade_stories(N_STORIES), names=["hook_bank"]))


@pytest.fixture(scope="module")
def result(rows):
    return match_slots(rows, in_another_basis(rows, ORDER, 23), names=("one", "two"))


ORDER = [2, 4, 3, 0, 1]


def test_a_copy_with_permuted_slots_is_matched_exactly_back(result):
    pairs = {(pair.first, pair.second) for pair in result.pairs}
    assert pairs == {(slot, ORDER.index(slot)) for slot in SLOT_OF.values()}
    for pair in result.pairs:
        assert pair.score.low > 0.99
        assert pair.shuffled.high < 0.3
        assert pair.random_slot.value < 0.6  # itself, and two others
    assert result.mean.low > 0.99
    assert result.shuffled.high < 0.3


def test_slots_that_hold_nothing_are_named_and_not_matched(result):
    assert result.unmatched[0] == dict.fromkeys(UNUSED, "nothing varies")
    assert set(result.unmatched[1]) == {ORDER.index(slot) for slot in UNUSED}
    assert "slot 4 of one: nothing varies" in result.summary()
    table = result.table()
    assert len(table) == 3 + 2 + 2
    assert table["score"].isna().sum() == 4
    assert [note.text for note in result.figure().layout.annotations].count("not matched") == 4


def test_every_slot_of_a_noisy_copy_finds_itself():
    """Ten slots of noise each, so that only the right one of 10! matchings scores."""
    rows = rows_of([6] * 40)
    rng = np.random.default_rng(0)
    rows = replace(rows, banks=rng.normal(size=(240, 10, 4)).astype(np.float32))
    order = rng.permutation(10)
    copy = in_another_basis(rows, order, 7)
    copy = replace(copy, banks=copy.banks + 0.1 * rng.normal(size=copy.banks.shape).astype(np.float32))
    result = match_slots(rows, copy)
    assert {pair.second: pair.first for pair in result.pairs} == dict(enumerate(order.tolist()))
    assert [pair.score.value for pair in result.pairs] == sorted(
        (p.score.value for p in result.pairs), reverse=True
    )
    assert result.random.value == pytest.approx(np.mean([p.random_slot.value for p in result.pairs]))
    assert result.random.value < 0.15
    assert result.shuffled.value < 0.1


def test_exchanged_stories_give_chance(rows):
    result = match_slots(rows, swap_story_banks(rows, seed=9))
    assert result.mean.value < 0.2
    assert result.mean.value - result.shuffled.value < 0.15


def test_both_ways_round_the_matching_is_the_same(rows, result):
    back = match_slots(in_another_basis(rows, ORDER, 23), rows)
    forth = {(p.first, p.second): p.score.value for p in result.pairs}
    for pair in back.pairs:
        assert forth[pair.second, pair.first] == pytest.approx(pair.score.value)


def test_agreement_in_the_matching_stories_alone_scores_nothing():
    """Equal banks in the stories that match, strangers in the others: only held-out stories show it."""
    rows = rows_of([5] * 24)
    rows = replace(rows, banks=np.random.default_rng(0).normal(size=(120, 3, 4)).astype(np.float32))
    _, test = split_stories(rows, seed=0)
    is_test = np.isin(rows.story, test.story)
    banks = rows.banks.copy()
    banks[is_test] = np.random.default_rng(1).normal(size=banks[is_test].shape)
    assert match_slots(rows, replace(rows, banks=banks)).mean.high < 0.0


def test_the_score_is_that_of_a_ridge_solved_by_hand(rows):
    copy = in_another_basis(rows, ORDER, 23)
    noisy = replace(copy, banks=copy.banks + np.random.default_rng(3).normal(size=copy.banks.shape))
    (pair, *_) = match_slots(rows, noisy).pairs
    shares = []
    for one, other, i, j in ((rows, noisy, pair.first, pair.second), (noisy, rows, pair.second, pair.first)):
        (x, x_test), (y, y_test) = (
            [part.banks[:, slot].astype(float) for part in split_stories(r, seed=0)]
            for r, slot in ((one, i), (other, j))
        )
        dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
        penalty = PENALTY * (dx**2).sum() / dx.shape[1]
        weights = np.linalg.solve(dx.T @ dx + penalty * np.eye(dx.shape[1]), dx.T @ dy)
        expected, real = (x_test - x.mean(axis=0)) @ weights, y_test - y.mean(axis=0)
        shares.append(1 - ((real - expected) ** 2).sum() / (real**2).sum())
    assert pair.score.value == pytest.approx(np.mean(shares))


def test_a_model_with_more_slots_leaves_some_without_a_partner():
    rows = rows_of([5] * 20)
    fewer = replace(rows, banks=rows.banks[:, [2, 0]])
    result = match_slots(rows, fewer)
    assert {(p.first, p.second) for p in result.pairs} == {(2, 0), (0, 1)}
    assert result.unmatched == ({1: "no partner left"}, {})


def test_rows_of_other_stories_are_refused(rows):
    with pytest.raises(ValueError, match=r"different stories \(280 and 273 rows.*have both read the same"):
        match_slots(rows, rows.take(rows.story != 3))
    other = bank_rows(read_stories(handmade_lm(), handmade_stories(N_STORIES, seed=1), names=["hook_bank"]))
    with pytest.raises(ValueError, match="different facts at the same sentences"):
        match_slots(rows, other)
    with pytest.raises(ValueError, match="stories of different lengths"):
        match_slots(rows_of([2, 3] * 5), rows_of([3, 2] * 5))
    with pytest.raises(ValueError, match="5 stories are too few"):
        match_slots(rows.take(rows.story < 5), rows.take(rows.story < 5))
    with pytest.raises(ValueError, match="no slot of two varies"):
        match_slots(rows, replace(rows, banks=np.ones_like(rows.banks)), names=("one", "two"))
