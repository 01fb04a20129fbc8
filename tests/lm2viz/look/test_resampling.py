"""Many figures at once have the intervals that each has alone."""

import numpy as np
import pytest

from lm2viz.estimates import mean
from lm2viz.look.resampling import by_story, over_draws

STORY = np.repeat([3, 5, 8, 9, 11], [4, 1, 6, 2, 3])


def test_every_column_has_the_interval_of_estimates_mean():
    values = np.random.default_rng(0).normal(size=(len(STORY), 2, 3))
    together = by_story(values, STORY, seed=4)
    for i, j in np.ndindex(2, 3):
        alone = mean(values[:, i, j], groups=STORY, seed=4)
        found = together.at(i, j)
        assert found.n == alone.n == len(STORY)
        assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_weights_make_it_a_ratio_of_sums():
    total = np.arange(1.0, 1 + len(STORY))
    found = by_story(np.stack([0.25 * total, total**2], axis=1), STORY, weights=total)
    assert (found.value[0], found.low[0], found.high[0]) == pytest.approx((0.25, 0.25, 0.25))
    assert found.value[1] == pytest.approx((total**2).sum() / total.sum())
    assert found.low[1] < found.value[1] < found.high[1]


def test_draws_of_a_control_give_their_mean_and_their_middle_95_percent():
    found = over_draws(np.arange(101.0))
    assert (found.value, found.low, found.high) == pytest.approx((50.0, 2.5, 97.5))
    assert found.n == 101
