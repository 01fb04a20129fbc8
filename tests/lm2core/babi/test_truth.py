"""The facts beside the sentences: answers agree with them, and what is stated is true."""

from collections import Counter
from random import Random

import pytest

from lm2core.babi.animals import FEARS, PLURALS
from lm2core.babi.directions import COMPASS, OPPOSITE, SIDES
from lm2core.babi.sentences import parse
from lm2core.babi.sizes import FITS
from lm2core.babi.tasks import TASKS, draw_question, draw_story, get_task, make_story
from lm2core.training.batches import PRACTICE
from lm2core.training.stages import stages_for
from tests.lm2core.babi.truth import true_answers

PAST = ("qa3", "qa5")  # need more than the facts of one moment


def stories(task, n=60):
    return [make_story(task, Random(f"{task}/{i}")) for i in range(n)]


@pytest.mark.parametrize("task", [name for name in TASKS if name not in PAST])
def test_answers_agree_with_the_facts_of_the_world(task):
    for story in stories(task):
        for question in story.questions:
            answer = question.answer
            if task == "qa8":
                answer = ",".join(sorted(answer.split(",")))
            assert answer in true_answers(question.text, story.states[question.n_statements - 1])


@pytest.mark.parametrize("task", PRACTICE)
def test_answers_in_practice_agree_with_the_facts_of_the_world(task):
    for i in range(60):
        story = draw_story(task, PRACTICE[task], Random(i))
        assert story.questions
        for question in story.questions:
            assert question.answer in true_answers(question.text, story.states[-1])


def test_practice_of_task_19_tells_two_to_five_sentences_and_of_task_17_asks_about_neighbours_too():
    lengths = Counter(len(draw_story("qa19", PRACTICE["qa19"], Random(i)).sentences) for i in range(80))
    assert sorted(lengths) == [2, 3, 4, 5]
    needed = Counter(
        len(question.support)
        for i in range(40)
        for question in draw_story("qa17", PRACTICE["qa17"], Random(i)).questions
    )
    assert min(needed[1], needed[2]) > 7


@pytest.mark.parametrize("task", ["qa11", "qa12", "qa13", "qa14", "qa15", "qa18", "qa19", "qa20"])
def test_answers_in_the_middle_of_a_story_agree_with_what_is_true_then(task):
    rng, n_asked, ages = Random(task), 0, range(10)  # older than the task asks about
    for story in stories(task, 20):
        for n in range(1, len(story.sentences)):
            question = draw_question(get_task(task), story.statements[:n], rng, ages=ages)
            if question is not None:
                n_asked += 1
                assert question.answer in true_answers(question.text, story.states[n - 1])
    assert n_asked > 15


def test_answers_about_the_past_agree_with_the_facts_of_then():
    """qa5: the object is with the receiver after the give, and was with the giver before."""
    for story in stories("qa5"):
        for question in story.questions:
            (gave,) = question.support
            statement = story.statements[gave]
            assert question.answer in (statement.subject, statement.target, statement.other)
            assert story.states[gave][f"holder of {statement.target}"] == statement.other
            assert story.states[gave - 1][f"holder of {statement.target}"] == statement.subject


def test_qa3_answers_with_the_place_the_object_was_taken_from():
    for story in stories("qa3", 20):
        for question in story.questions:
            *_, thing, _, _, place = question.text.rstrip("?").split()
            _, visit, _ = question.support
            assert story.states[visit][f"place of {thing}"] == place
            assert story.states[visit - 1][f"place of {thing}"] == question.answer


def test_maybe_is_the_answer_exactly_to_one_of_two_named_places():
    for story in stories("qa10"):
        for question in story.questions:
            statement = story.statements[question.support[0]]
            is_named = question.text.rstrip("?").split()[-1] in (statement.target, statement.other)
            assert (question.answer == "maybe") == (statement.relation == "either" and is_named)


@pytest.mark.parametrize("task", TASKS)
def test_sentences_tell_the_statements(task):
    for story in stories(task):
        assert parse(story.sentences) == list(story.statements)


@pytest.mark.parametrize("task", TASKS)
def test_there_are_facts_after_every_sentence_and_support_comes_before_the_question(task):
    for story in stories(task):
        assert len(story.states) == len(story.sentences) == len(story.statements)
        assert all(story.states)
        for question in story.questions:
            assert len(set(question.support)) == len(question.support) > 0
            assert max(question.support) < question.n_statements


@pytest.mark.parametrize("task", ["qa4", "qa17", "qa19"])
def test_places_and_shapes_stand_where_sentences_say(task):
    for story in stories(task):
        at = {
            name.removeprefix("position of "): tuple(map(int, p.split(",")))
            for name, p in story.states[0].items()
        }
        assert all(facts == story.states[0] for facts in story.states)
        for statement in story.statements:
            step = (COMPASS | SIDES)[statement.relation]
            (x, y), (x0, y0) = at[statement.subject], at[statement.target]
            assert (x - x0, y - y0) == step


def test_task_4_is_a_row_and_task_17_never_puts_two_shapes_in_one_spot():
    for task in ("qa4", "qa17"):
        for story in stories(task):
            points = list(story.states[0].values())
            assert len(set(points)) == len(points) == 3
    for story in stories("qa4"):
        xs, ys = zip(*(p.split(",") for p in story.states[0].values()), strict=True)
        assert len(set(xs)) == 1 or len(set(ys)) == 1


def test_task_19_is_a_tree_over_six_places_and_never_a_bare_path():
    for story in stories("qa19", 300):
        near = {}
        for statement in story.statements:
            near.setdefault(statement.subject, set()).add(statement.target)
            near.setdefault(statement.target, set()).add(statement.subject)
        reached = {story.statements[0].subject}
        for _ in near:
            reached |= {other for place in reached for other in near[place]}
        assert len(reached) == len(near) == 6
        assert len(story.statements) == 5
        assert max(map(len, near.values())) > 2
        beside = [(statement.target, statement.relation) for statement in story.statements]
        beside += [(statement.subject, OPPOSITE[statement.relation]) for statement in story.statements]
        assert len(set(beside)) == len(beside)  # nobody has two places on one side
        a, b = story.questions[0].support
        assert {story.statements[a].subject, story.statements[a].target} & {
            story.statements[b].subject,
            story.statements[b].target,
        }


def test_sizes_are_one_order_and_chocolates_are_smallest():
    for story in stories("qa18"):
        size = {name.removeprefix("size of "): int(rank) for name, rank in story.states[0].items()}
        assert sorted(size.values()) == [1, 2, 3, 4, 5, 6]
        assert (size["chocolate"], size["box of chocolates"]) == (1, 2)
        for statement in story.statements:
            assert (size[statement.subject] < size[statement.target]) == (statement.relation == FITS)


def test_nobody_is_an_animal_before_its_fear_is_stated_and_none_fears_itself():
    for story in stories("qa15"):
        introduced = set()
        for statement in story.statements:
            assert statement.subject != statement.target
            assert statement.subject not in introduced
            assert statement.relation == FEARS or statement.target in introduced
            introduced.add(statement.subject)
        assert introduced >= set(PLURALS)


def test_a_colour_follows_its_animal_and_one_of_five_has_none():
    for story in stories("qa16"):
        animal, colour = {}, {}
        for statement in story.statements:
            (colour if statement.subject in animal else animal)[statement.subject] = statement.target
        assert (len(animal), len(colour)) == (5, 4)
        (question_list,) = animal.keys() - colour.keys()
        assert story.questions[0].text == f"What color is {question_list}?"
        n_alike = sum(other == animal[question_list] for other in animal.values()) - 1
        assert n_alike in (1, 3, 4)


def test_times_of_a_person_follow_one_another_and_neighbours_differ():
    for story in stories("qa14"):
        places = {}
        for statement in story.statements:
            places.setdefault(statement.subject, {})[statement.other] = statement.target
        slots = ("yesterday", "this morning", "this afternoon", "this evening")
        for at in places.values():
            row = [at[slot] for slot in slots[: len(at)]]  # no time is left out
            assert all(a != b for a, b in zip(row, row[1:], strict=False))


def test_everybody_of_task_20_wants_goes_and_perhaps_gets_in_this_order():
    for story in stories("qa20"):
        steps = {}
        for statement in story.statements:
            steps.setdefault(statement.subject, []).append(statement.relation)
        assert len(steps) == 4
        assert all(row in (["is", "move"], ["is", "move", "get"]) for row in steps.values())
        assert len(story.questions) == len(story.sentences)


def test_an_unknown_task_is_refused_with_the_known_ones():
    known = ", ".join(f"qa{n}" for n in range(1, 21))
    with pytest.raises(ValueError, match=f"unknown task 'qa99'; known: {known}"):
        get_task("qa99")


def test_training_on_an_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown task 'qa21'; known: qa1, qa2, .*, qa20"):
        stages_for(["qa1", "qa21"])
