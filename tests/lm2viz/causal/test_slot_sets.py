"""The search finds the slot that the construction put a fact in, and names only sets that reach the goal."""

from dataclasses import replace

import numpy as np
import pytest

from lm2viz.causal import search_slots
from lm2viz.causal.slot_sets_result import BY_BOTH, BY_GRADIENT, BY_INTERCHANGE, GOAL
from lm2viz.estimates import Estimate
from tests.handmade import N_SLOTS, SLOT_OF, handmade_lm, handmade_stories
from tests.lm2viz.causal.test_interchange import question_of

LM, STORIES, MOST = handmade_lm(), handmade_stories(40), 3
WAYS = (BY_INTERCHANGE, BY_BOTH, BY_GRADIENT)


def searched(person="Mary", stories=STORIES, most=MOST):
    return search_slots(LM, stories, f"place of {person}", most=most, question_of=question_of)


@pytest.fixture(scope="module")
def result():
    return searched()


def test_every_way_begins_with_the_slot_of_the_person(result):
    for way in WAYS:
        first = result.paths[way][0]
        assert first.slots == (SLOT_OF["Mary"],)
        values = [first.effects.interchange, first.effects.isolation, first.completeness]
        assert [x.value for x in values] == [1, 1, 1]
        assert first.minimality == 1
        assert first.of_random.value < 0.5
    assert searched("Sandra", most=1).found.slots == (SLOT_OF["Sandra"],)


def test_a_second_slot_is_not_needed_and_is_said_to_be_none(result):
    for way in WAYS:
        assert [each.minimality for each in result.paths[way][1:]] == [0, 0]
        assert [len(each.slots) for each in result.paths[way]] == [1, 2, 3]
    assert result.found.slots == (SLOT_OF["Mary"],)
    assert result.verdict == "Slot 3 carries the place of Mary alone: interchange 100%, isolation 100%."


def test_growing_by_both_leaves_the_slots_of_others_out(result):
    chosen = result.paths[BY_BOTH][-1].slots
    assert not set(chosen) & {SLOT_OF["John"], SLOT_OF["Sandra"]}


def test_a_set_below_the_goal_is_not_found(result):
    low = Estimate(GOAL - 0.01, 0, 1, 9)
    short = {
        way: tuple(replace(each, effects=replace(each.effects, isolation=low)) for each in sets)
        for way, sets in result.paths.items()
    }
    short = replace(result, paths=short)
    assert short.found is None
    assert short.verdict.startswith(
        "No set of up to 3 slots was found that carries the place of Mary alone: the"
    )
    assert result.area(BY_BOTH) == 1


def test_table_and_figure_have_every_set(result):
    table = result.table()
    assert table["grown"].value_counts().to_dict() == dict.fromkeys(WAYS, MOST)
    assert table["slots"].str.split(",").map(len).tolist() == table["n_slots"].tolist()
    figure = result.figure()
    assert len(figure.data) == 4 * len(WAYS)
    np.testing.assert_allclose(figure.data[0].y, table["interchange"][:MOST])


def test_what_cannot_be_searched_is_told():
    with pytest.raises(ValueError, match=f"this model has {N_SLOTS}: give 1 to {N_SLOTS - 1}"):
        searched(most=N_SLOTS)
    with pytest.raises(ValueError, match="an interval needs 10 stories"):
        searched(stories=STORIES[:12])
