"""The simulated people: nothing impossible happens, and the facts are the world's own."""

import json
from hashlib import sha256
from random import Random

import pytest

from lm2core.babi import tasks
from lm2core.babi.people import ACTING
from lm2core.babi.tasks import TASKS, make_story
from lm2core.babi.world import OBJECTS, World


@pytest.mark.parametrize("task", ACTING)
def test_nobody_moves_to_where_he_is_or_takes_drops_or_gives_what_he_cannot(task):
    world = World(Random(0), ACTING[task])
    for _ in range(1_000):
        before, act = world.facts(), world.act()
        here, holder = before[f"place of {act.subject}"], before.get(f"holder of {act.target}")
        if act.relation == "move":
            assert act.target != here
        elif act.relation == "get":
            assert holder is None
            assert before[f"place of {act.target}"] == here
        else:
            assert holder == act.subject
        if act.relation == "give":
            assert act.other != act.subject
            assert before[f"place of {act.other}"] == here


@pytest.mark.parametrize("task", ACTING)
def test_facts_after_every_sentence_are_the_world_s_own(task):
    """Replay the statements beside the facts: a thing that is held is where its holder is."""
    for seed in range(10):
        story = make_story(task, Random(seed))
        cast, start, holder = ACTING[task].cast, story.states[0], {}
        place = {name: start[f"place of {name}"] for name in cast.actors + OBJECTS}
        for statement, facts in zip(story.statements, story.states, strict=True):
            if statement.relation == "move":
                place[statement.subject] = statement.target
            elif statement.relation == "drop":
                del holder[statement.target]
            else:
                holder[statement.target] = statement.other or statement.subject
            place |= {thing: place[actor] for thing, actor in holder.items()}
            expected = {f"place of {name}": at for name, at in place.items()}
            assert facts == expected | {f"holder of {thing}": actor for thing, actor in holder.items()}


@pytest.mark.parametrize("task", ["qa9", "qa10", "qa11", "qa12", "qa13"])
def test_who_is_mentioned_has_come_from_elsewhere_and_nobody_else_has_moved(task):
    for seed in range(20):
        story = make_story(task, Random(seed))
        for i in range(1, len(story.states)):
            before, after, statement = story.states[i - 1], story.states[i], story.statements[i]
            people = {statement.subject} if task == "qa10" else {statement.subject, statement.other} - {""}
            edited = {name for name in before if before[name] != after[name]}
            assert edited == {f"place of {person}" for person in people}


def test_what_somebody_is_not_in_is_where_he_was_and_of_two_places_one_is_true():
    for seed in range(20):
        for task in ("qa9", "qa10"):
            story = make_story(task, Random(seed))
            for i in range(1, len(story.states)):
                statement, name = story.statements[i], f"place of {story.statements[i].subject}"
                if statement.relation == "not in":
                    assert statement.target == story.states[i - 1][name] != story.states[i][name]
                elif statement.relation == "either":
                    assert story.states[i][name] in (statement.target, statement.other)


def test_every_actor_acts_and_every_place_is_visited():
    story = make_story("qa3", Random(8))
    cast = ACTING["qa3"].cast
    assert {s.subject for s in story.statements} == set(cast.actors)
    assert {s.target for s in story.statements if s.relation == "move"} == set(cast.places)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_draws_the_same_story(task):
    assert make_story(task, Random(3)) == make_story(task, Random(3))
    assert make_story(task, Random(3)) != make_story(task, Random(4))


@pytest.mark.parametrize(
    ("task", "digest"),
    [("qa1", "bd7c61d8c4dbb988"), ("qa2", "299903fe7f9ba5d1"), ("qa3", "2ff6654bb77c49f6")],
)
def test_the_shipped_model_can_be_trained_on_the_same_stories_again(task, digest):
    """The random stream of the tasks it was trained on stays as it was then."""
    stories = [make_story(task, Random(seed)) for seed in range(30)]
    texts = [(story.sentences, [(q.text, q.answer) for q in story.questions]) for story in stories]
    assert sha256(json.dumps(texts).encode()).hexdigest().startswith(digest)


def test_every_public_function_of_the_tasks_is_named_as_such():
    made_there = {name for name, x in vars(tasks).items() if getattr(x, "__module__", "") == tasks.__name__}
    assert {name for name in made_there if not name.startswith("_")} <= set(tasks.__all__)
