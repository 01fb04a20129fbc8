"""What a story told, against the whole truth of its world and against stories told by hand."""

from random import Random

import pytest

from lm2core.babi.motives import WANTED
from lm2core.babi.story import Statement
from lm2core.babi.tasks import TASKS, make_story
from lm2core.babi.told import Told, facts_in, place_asked_for, told_facts

PLACE_TASKS = [
    task for task in TASKS if any("place of" in fact for fact in make_story(task, Random(0)).states[-1])
]


def kept_by_no_world(task):
    """In task 20 everybody may get the one thing, which therefore has no holder and no place."""
    things = {thing for _, thing in WANTED.values()} if task == "qa20" else set()
    return {f"{what} of {thing}" for what in ("place", "holder") for thing in things}


@pytest.mark.parametrize("task", PLACE_TASKS)
def test_what_is_told_is_true(task):
    n_told = 0
    for seed in range(20):
        story = make_story(task, Random(seed))
        for i, (told, state) in enumerate(zip(told_facts(story.statements), story.states, strict=True)):
            said = {fact: value for fact, (value, _) in told.items() if fact not in kept_by_no_world(task)}
            assert said.items() <= state.items()
            assert all(0 <= since <= i for _, since in told.values())
            n_told += len(said)
    assert n_told > 200


def test_all_tasks_that_tell_where_somebody_is_are_looked_at():
    assert [f"qa{n}" for n in (1, 2, 3, *range(5, 15), 20)] == PLACE_TASKS


@pytest.mark.parametrize("task", PLACE_TASKS)
def test_sentences_tell_what_the_statements_behind_them_do(task):
    for seed in range(7):
        story = make_story(task, Random(seed))
        assert facts_in(story.sentences) == told_facts(story.statements)


def test_two_people_who_move_are_both_there_with_what_they_carry():
    told = facts_in(
        [
            "John took the milk.",
            "John went to the kitchen.",
            "Mary and John went to the office.",
            "Then they moved to the garden.",
        ]
    )
    places = {"place of John": "office", "place of Mary": "office", "place of milk": "office"}
    assert {fact: value for fact, (value, _) in told[2].items() if "place" in fact} == places
    assert told[3] == {"holder of milk": ("John", 0)} | {fact: ("garden", 3) for fact in places}


def test_what_was_at_a_time_is_not_where_somebody_is_now():
    first, second = facts_in(["This morning Mary went to the park.", "Mary went to the school Yesterday."])
    assert first == {"place of Mary this morning": ("park", 0)}
    assert second == first | {"place of Mary yesterday": ("school", 1)}
    assert place_asked_for("Where is Mary?", second) is None


def test_a_time_leaves_open_what_was_told_without_one():
    sentences = ["Mary took the milk.", "Mary went to the kitchen.", "This evening Mary went to the park."]
    assert facts_in(sentences)[-1] == {
        "holder of milk": ("Mary", 0),
        "place of Mary this evening": ("park", 2),
    }


def test_a_story_of_one_s_own_may_be_odd_but_not_in_other_words():
    last = facts_in(["Mary dropped the milk there.", "Mary went to the office.", "Mary took the milk."])[-1]
    assert last["place of milk"] == Told("office", 2)
    assert facts_in(["Mary likes the milk."]) is None
    assert facts_in(["Then she went to the office."]) is None  # who?
    assert facts_in(["Birds are afraid of worms."]) is None  # of no task's animals
    assert facts_in(["Mice are afraid of Wolves."]) is not None


@pytest.mark.parametrize("task", ["qa1", "qa2"])
def test_the_answer_is_among_what_was_told(task):
    found = asked = 0
    for seed in range(30):
        story = make_story(task, Random(seed))
        told = told_facts(story.statements)
        for question in story.questions:
            fact = "place of " + question.text.rstrip("?").split()[-1]
            found += told[question.n_statements - 1].get(fact, Told("", 0)).value == question.answer
            asked += 1
    assert found == asked > 50


def test_a_thing_is_where_its_holder_is_and_stays_where_it_is_dropped():
    told = told_facts(
        [
            Statement("Mary", "get", "apple"),
            Statement("Mary", "move", "kitchen"),
            Statement("Mary", "drop", "apple"),
            Statement("Mary", "move", "garden"),
            Statement("John", "get", "apple"),
        ]
    )
    assert told[0] == {"holder of apple": ("Mary", 0)}
    assert told[1] == {
        "holder of apple": ("Mary", 0),
        "place of Mary": ("kitchen", 1),
        "place of apple": ("kitchen", 1),
    }
    assert told[3] == {"place of Mary": ("garden", 3), "place of apple": ("kitchen", 1)}
    assert told[4] == told[3] | {"holder of apple": ("John", 4)}


def test_a_taken_thing_is_where_the_taker_was_said_to_be_since_it_was_taken():
    told = told_facts([Statement("John", "move", "office"), Statement("John", "get", "milk")])
    assert told[1]["place of milk"] == ("office", 1)


def test_a_denied_place_is_no_longer_known():
    told = told_facts([Statement("John", "in", "office"), Statement("John", "not in", "office")])
    assert told == [{"place of John": ("office", 0)}, {}]


def test_a_thing_is_no_longer_known_to_be_where_its_holder_was():
    told = facts_in(["Mary took the milk.", "Mary is in the office.", "Mary is no longer in the office."])
    assert told[1]["place of milk"] == ("office", 1)
    assert told[2] == {"holder of milk": ("Mary", 0)}


def test_a_side_tells_the_other_side():
    (told,) = told_facts([Statement("office", "north of", "kitchen")])
    assert told == {"north of kitchen": ("office", 0), "south of office": ("kitchen", 0)}
