"""Figures over seeds: intervals checked by hand, and what they decide."""

from math import pi, tan

import pytest

from lm2core.compare.seeds import OverSeeds, difference_over_seeds, over_seeds, share_over_seeds
from lm2core.evaluation.intervals import mean_half_width, wilson_interval


def test_the_interval_of_three_seeds_is_students():
    figure = over_seeds([2.0, 3.0, 7.0])
    assert (figure.n, figure.mean) == (3, 4.0)
    half = 4.3026527 * 7.0**0.5 / 3**0.5  # variance (4 + 1 + 9) / 2
    assert (figure.low, figure.high) == pytest.approx((4 - half, 4 + half))


def test_the_t_points_with_a_closed_form_are_right():
    two, three = [1.0, 3.0], [1.0, 2.0, 3.0]  # standard errors 1 and 1 / sqrt(3)
    assert mean_half_width(two) == pytest.approx(tan(pi * 0.475))
    a = 4 * 0.975 * 0.025
    assert mean_half_width(three) == pytest.approx(2 * 0.475 * (2 / a) ** 0.5 / 3**0.5)


def test_one_seed_has_no_interval_and_decides_nothing():
    assert share_over_seeds([0.5], 20) == OverSeeds(1, 0.5, None, None)
    assert difference_over_seeds([(1.0, 0.0)], 20).decides == "not decided"


def test_seeds_that_agree_do_not_make_an_interval_narrower_than_the_questions_allow():
    figure = share_over_seeds([1.0, 1.0, 1.0], 30)
    assert (figure.low, figure.high) == (wilson_interval(30, 30)[0], 1.0)
    assert difference_over_seeds([(0.50, 0.45)] * 3, 20).decides == "not decided"
    assert difference_over_seeds([(1.0, 0.2)] * 3, 20).decides == "more"
    assert difference_over_seeds([(0.2, 1.0)] * 3, 20).decides == "less"


def test_the_difference_has_newcombes_interval():
    """His own example (1998, table II, b): 9 of 10 minus 3 of 10."""
    figure = difference_over_seeds([(0.9, 0.3)] * 2, 10)
    assert (figure.low, figure.high) == pytest.approx((0.1705, 0.8090), abs=1e-4)


def test_seeds_that_differ_make_the_interval_wider_but_a_share_stays_a_share():
    figure = share_over_seeds([0.1, 0.9, 0.8], 1_000)
    assert (figure.low, figure.high) == (0.0, 1.0)
    assert over_seeds([-0.2, -0.3, -0.1]).low < -0.2
