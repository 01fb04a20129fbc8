"""The causal model of an interchange: what else is true where one fact has another value."""

import pytest

from lm2core.babi.fact_questions import asked_fact, question_about, with_fact
from lm2core.babi.known_facts import known_facts
from lm2core.babi.tasks import make_stories

WORLD = {
    "place of Mary": "kitchen",
    "place of John": "garden",
    "holder of apple": "Mary",
    "place of apple": "kitchen",
    "place of milk": "kitchen",
}


def test_what_a_person_holds_goes_with_her_and_what_lies_beside_her_stays():
    assert with_fact(WORLD, "place of Mary", "office") == WORLD | {
        "place of Mary": "office",
        "place of apple": "office",
    }


def test_a_thing_with_another_holder_is_where_that_holder_is():
    changed = with_fact(WORLD, "holder of apple", "John")
    assert changed == WORLD | {"holder of apple": "John", "place of apple": "garden"}
    assert with_fact(WORLD, "holder of apple", "Bill") is None


def test_a_direction_turns_its_opposite():
    row = {"north of kitchen": "garden", "south of garden": "kitchen", "east of garden": "office"}
    assert with_fact(row, "north of kitchen", "bedroom") == {
        "north of kitchen": "bedroom",
        "south of bedroom": "kitchen",
        "east of garden": "office",
    }


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("place of Mary", "Where is Mary?"),
        ("place of apple", "Where is the apple?"),
        ("north of kitchen", "What is north of the kitchen?"),
        ("place of Mary yesterday", None),
        ("holder of apple", None),
    ],
)
def test_a_fact_has_the_question_of_its_task_or_none(fact, text):
    assert question_about(fact) == text
    assert asked_fact("holder of apple") == "place of apple"


@pytest.mark.parametrize("task", ["qa1", "qa2", "qa4"])
def test_the_question_about_a_fact_is_one_that_the_task_asks_with_its_value_as_the_answer(task):
    asked = 0
    for story in make_stories(task, 30, seed=3):
        known = known_facts(story.statements)
        for question in story.questions:
            world = known[question.n_statements - 1]
            answers = {question_about(fact): it.value for fact, it in world.items()}
            if question.text in answers:
                asked += 1
                assert answers[question.text] == question.answer
    assert asked > 10
