"""Effective rank, similarity and half-life, by hand and where they are 0/0."""

from math import exp, log

import numpy as np
import pytest

from lm2core.model.memory import initial_bank
from lm2viz.stats.measures import effective_rank, fresh_bank, half_life, redundancy, slot_similarity

BANKS = np.random.default_rng(0).normal(size=(3, 2, 5, 7))  # stories, segments, slots, dims


def test_effective_rank_of_two_directions_three_to_one():
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(exp(entropy))


def test_effective_rank_counts_slots_of_a_fresh_bank_and_one_for_equal_slots():
    assert effective_rank(fresh_bank(5, 7)) == pytest.approx(5)
    assert effective_rank(fresh_bank(9, 4)) == pytest.approx(4, rel=0.01)  # rows repeat
    assert effective_rank(np.outer([1.0, -2.0, 0.5], [2.0, 1.0, 0.0, 3.0])) == pytest.approx(1)


def test_effective_rank_is_the_slow_one_and_knows_no_scale_nor_turn():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0]
    result = effective_rank(BANKS)
    np.testing.assert_allclose(effective_rank(-4.0 * BANKS @ turn), result)
    for i, j in np.ndindex(3, 2):
        sizes = np.sqrt(np.linalg.eigvalsh(BANKS[i, j] @ BANKS[i, j].T))
        shares = sizes / sizes.sum()
        assert result[i, j] == pytest.approx(exp(-sum(p * log(p) for p in shares)))


def test_a_bank_of_zeros_has_rank_and_similarity_zero():
    zeros = np.zeros((2, 3, 4))
    assert (effective_rank(zeros) == 0).all()
    assert (slot_similarity(zeros) == 0).all()
    assert (redundancy(slot_similarity(zeros)) == 0).all()


def test_similarity_by_hand_and_redundancy_of_its_pairs():
    bank = np.array([[3.0, 4.0], [-6.0, -8.0], [4.0, -3.0], [0.0, 0.0]])
    expected = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(slot_similarity(bank), expected, atol=1e-12)
    assert redundancy(slot_similarity(bank)) == pytest.approx(1 / 6)
    assert slot_similarity(BANKS).shape == (3, 2, 5, 5)


def test_half_life_by_hand_and_at_its_ends():
    np.testing.assert_allclose(half_life(np.array([0.5, 0.25, 0.5**0.1])), [1.0, 0.5, 10.0])
    assert half_life(np.array(1.0)) == np.inf
    assert half_life(np.array(1.0 - 1e-8)) == np.inf  # rounding is no loss
    assert 0 < half_life(np.array(0.0)) < 0.1
    assert (np.diff(half_life(np.linspace(0, 0.999, 50))) >= 0).all()


def test_the_fresh_bank_is_that_of_the_model():
    like = pytest.importorskip("torch").zeros(1)
    for n_slots, n_dims in ((5, 7), (9, 4)):
        assert (initial_bank(1, n_slots, n_dims, like=like)[0].numpy() == fresh_bank(n_slots, n_dims)).all()
