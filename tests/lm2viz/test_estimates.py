"""Intervals and p values: by hand, by repetition, and refused of nothing."""

import numpy as np
import pytest

from lm2viz.estimates import (
    N_FLIPS,
    N_RESAMPLES,
    above_zero_p,
    by_story,
    corrected,
    mean,
    over_draws,
    share,
    sign_flip_p,
)


def test_a_share_carries_wilson_s_interval():
    half = share([True] * 5 + [False] * 5)
    assert (half.value, half.n) == (0.5, 10)
    assert (half.low, half.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # by hand: 0.5 -+ 0.2634
    assert share([True] * 7).high == 1.0
    assert "50.0% (23.7% to 76.3%, n = 10)" in half.as_share()


def test_rows_of_one_story_do_not_count_as_many_stories():
    rng = np.random.default_rng(0)
    of_stories = rng.normal(size=12)
    values, stories = np.repeat(of_stories, 30), np.repeat(np.arange(12), 30)
    by_row, by_story = mean(values), mean(values, groups=stories)
    assert by_row.value == by_story.value == pytest.approx(of_stories.mean())
    assert by_story.high - by_story.low > 4 * (by_row.high - by_row.low)


def test_the_interval_holds_the_truth_in_about_95_of_100_samples():
    rng = np.random.default_rng(1)
    samples = [mean(rng.normal(loc=2.0, size=40), seed=i) for i in range(300)]
    covered = np.mean([s.low <= 2.0 <= s.high for s in samples])
    assert 0.90 <= covered <= 0.98


def test_stories_of_different_length_weigh_by_their_rows():
    assert mean([1.0, 1.0, 1.0, 5.0], groups=[0, 0, 0, 1]).value == 2.0


def test_p_is_small_for_a_shift_and_uniform_without_one():
    rng = np.random.default_rng(2)
    assert sign_flip_p(rng.normal(loc=1.0, size=30)) <= 2 / N_RESAMPLES + 1e-9
    without = [sign_flip_p(rng.normal(size=15), seed=i) for i in range(100)]
    assert 0.3 < np.mean(without) < 0.7


def test_nothing_is_no_estimate():
    for estimate in (share, mean, sign_flip_p):
        with pytest.raises(ValueError, match="no values to estimate from"):
            estimate([])


def test_one_story_has_no_interval_and_says_so():
    alone = mean([0.25, 0.75], groups=[4, 4])
    assert np.isnan(alone.low)
    assert str(alone) == "0.5 (no interval, n = 2)"
    assert alone.as_share() == "50.0% (no interval, n = 2)"


def test_a_perfect_score_has_the_interval_of_as_many_draws_as_there_are_stories():
    perfect = mean(np.ones(12, dtype=bool), groups=np.repeat(np.arange(4), 3))
    assert (perfect.value, perfect.n) == (1.0, 12)
    assert perfect.low == share(np.ones(4)).low
    constant = mean(np.ones(12), groups=np.repeat(np.arange(4), 3))  # a measure, not a score
    assert (constant.low, constant.high) == (1.0, 1.0)


def test_differences_of_shares_that_are_all_alike_reach_as_far_as_what_was_seen_in_no_story():
    stories = np.repeat(np.arange(9), 2)
    unseen = share(np.zeros(9)).high
    none = mean(np.zeros(18), groups=stories, within=(-1, 1))
    assert (none.low, none.value, none.high) == (-unseen, 0, unseen)
    all_lost = mean(-np.ones(18), groups=stories, within=(-1, 1))
    assert (all_lost.low, all_lost.high) == (-1, unseen - 1)
    spread = np.tile([0.0, 1.0], 9)
    assert mean(spread, groups=stories, within=(-1, 1)) == mean(spread, groups=stories)


def test_the_sign_of_one_difference_tells_nothing_and_nan_is_no_evidence():
    assert sign_flip_p([3.5]) == 1
    assert np.isnan(sign_flip_p([np.nan, 1.0, 2.0]))


STORY = np.repeat([3, 5, 8, 9, 11], [4, 1, 6, 2, 3])


def test_every_column_has_the_interval_of_estimates_mean():
    values = np.random.default_rng(0).normal(size=(len(STORY), 2, 3))
    together = by_story(values, STORY, seed=4)
    for i, j in np.ndindex(2, 3):
        alone = mean(values[:, i, j], groups=STORY, seed=4)
        result = together.at(i, j)
        assert result.n == alone.n == len(STORY)
        assert (result.value, result.low, result.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_weights_make_it_a_ratio_of_sums():
    total = np.arange(1.0, 1 + len(STORY))
    result = by_story(np.stack([0.25 * total, total**2], axis=1), STORY, weights=total)
    assert (result.value[0], result.low[0], result.high[0]) == pytest.approx((0.25, 0.25, 0.25))
    assert result.value[1] == pytest.approx((total**2).sum() / total.sum())
    assert result.low[1] < result.value[1] < result.high[1]


def test_draws_of_a_control_give_their_mean_and_their_middle_95_percent():
    result = over_draws(np.arange(101.0))
    assert (result.value, result.low, result.high) == pytest.approx((50.0, 2.5, 97.5))
    assert result.n == 101


def test_p_above_zero_is_small_only_where_the_mean_of_stories_is_above_zero():
    rng, story = np.random.default_rng(0), np.repeat(np.arange(60), 3)
    above = rng.normal(0.5, 1, size=180)
    p = above_zero_p(np.stack([above, -above, rng.normal(size=180), np.ones(180)], axis=1), story)
    assert p[0] < 0.001 < 0.999 < p[1]
    assert 0.02 < p[2] < 0.98
    assert p[3] == pytest.approx(1 / (N_FLIPS + 1))


def test_one_story_of_many_rows_is_one_observation():
    values, story = np.ones((500, 1)), np.repeat([0, 1], 250)
    assert above_zero_p(values, story)[0] == pytest.approx(0.25, abs=0.02)


def test_p_values_are_corrected_as_benjamini_and_hochberg_do_and_nan_counts_not():
    p = np.array([[0.01, 0.04], [0.03, np.nan]])
    np.testing.assert_allclose(corrected(p), [[0.03, 0.04], [0.04, np.nan]])  # times 3, 3/3 and 3/2, sorted
