"""A point of the map is the bank it was drawn from, and maps are made smaller story by story."""

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.stats import map_slots
from lm2viz.stats.places import MapPoint, first_plotted_story, first_stories, is_plotted, point_at
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories

SLOTS = (SLOT_OF["Mary"], SLOT_OF["John"])


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), handmade_stories(23), names=["hook_bank"]))


@pytest.fixture(scope="module")
def result(rows):
    return map_slots(rows, "place of Mary", slots=SLOTS)


def test_a_point_is_found_by_what_is_drawn_and_its_bank_projects_onto_it(rows, result):
    for trace in result.figure().data[:3]:
        place = point_at(result, float(trace.x[0]), float(trace.y[0]))
        plotted = result.plotted.rows
        same = (plotted["story"] == place.story) & (plotted["segment"] == place.step - 1)
        (i,) = np.flatnonzero(same & (plotted["slot"] == place.slot))
        np.testing.assert_allclose(result.plotted.coordinates[i, :2], [trace.x[0], trace.y[0]])
        expected = f"story {place.story}, sentence {place.step}, slot {place.slot}: "
        assert any(text.startswith(expected) for text in trace.text)


def test_the_first_row_is_the_first_place(result):
    row = result.plotted.rows.iloc[0]
    x, y, *_ = result.plotted.coordinates[0]
    assert point_at(result, x, y) == MapPoint(int(row["story"]), int(row["segment"]) + 1, int(row["slot"]))


@pytest.mark.parametrize("point", [(1e6, 0.0), (float("nan"), 0.0), (0.123, -0.456)])
def test_beside_the_points_there_is_no_place(result, point):
    assert point_at(result, *point) is None


def test_fitted_stories_are_not_drawn(rows, result):
    plotted = [story for story in range(23) if is_plotted(result, story)]
    assert len(plotted) == 23 - result.n_fit_stories
    assert plotted[0] == first_plotted_story(result)


def test_first_stories_are_whole_and_as_many_as_fit(rows):
    counts = np.bincount(rows.story)
    few = first_stories(rows, int(counts[:5].sum()) + counts[5] - 1)
    assert np.unique(few.story).tolist() == [0, 1, 2, 3, 4]
    assert len(few.banks) == counts[:5].sum() == len(few.facts)
    assert first_stories(rows, int(counts[:5].sum())).n_stories == 5
    assert first_stories(rows, 10**6).n_stories == 23


def test_a_story_that_does_not_fit_is_refused(rows):
    with pytest.raises(ValueError, match="more than the 2 that fit; choose fewer slots"):
        first_stories(rows, 2)
