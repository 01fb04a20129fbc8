"""Lessons: each measures live, its ranges hold what is measured, and the page shows that."""

import json

import numpy as np
import pytest

from app.loaders.lessons import lesson, load_measured
from app.panels.lessons import live_query
from lm2core.reading.checkpoints import load
from lm2viz.causal import ClampGate, to_json
from lm2viz.estimates import Estimate
from lm2viz.lessons import LESSONS, Live
from lm2viz.lessons.lesson import MODEL, Choice, lesson_sample, stories_of_questions
from lm2viz.lessons.page_json import lesson_json
from lm2viz.lessons.shipped import measured_lessons
from tests.app.pages import open_page
from tests.json_values import differences

TITLES = [each.title for each in LESSONS]
PAPER = "What the paper showed"


@pytest.fixture(scope="module")
def lm():
    return load(MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES)
def test_one_choice_and_no_other_holds_what_was_measured(title):
    measured = load_measured(title)
    right = lesson(title).right(measured)
    holding = [c for c in lesson(title).choices if c.low <= measured.value.value < c.high]
    assert holding == [right]


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES)
def test_the_choice_stays_right_anywhere_in_the_interval_and_the_control_is_another_matter(title):
    """Otherwise another seed would teach another lesson."""
    measured = load_measured(title)
    right = lesson(title).right(measured)
    if not np.isnan(measured.value.low):
        assert right.low <= measured.value.low
        assert measured.value.high < right.high + 1e-9
    assert measured.of_control in measured.sentence()


def test_a_measurement_that_no_range_holds_is_an_error_that_names_the_lesson():
    odd = lesson(PAPER)
    measured = load_measured(PAPER)
    outside = type(measured)(Estimate(1e6, 0, 0, 1), measured.control, "x", "y", measured.chart, "z", "here")
    with pytest.raises(ValueError, match="lesson 'What the paper showed': no choice contains"):
        odd.right(outside)


def test_questions_are_counted_to_their_stories():
    stories = lesson_sample(3).stories
    assert len(stories_of_questions(stories)) == sum(len(s.questions) for s in stories)
    assert stories_of_questions(stories)[-1] == 2


def test_ranges_of_each_lesson_follow_each_other_without_gaps():
    for each in LESSONS:
        assert len(each.choices) == 3
        for before, after in zip(each.choices, each.choices[1:], strict=False):
            assert isinstance(before, Choice)
            assert before.high == after.low


def test_nothing_is_revealed_before_a_prediction_and_then_the_measurement_is():
    page = open_page("lessons", lesson=PAPER)
    assert not page.get("plotly_chart")
    assert "Choose an answer first" in page.info[0].value
    measured = load_measured(PAPER)
    right, wrong = lesson(PAPER).right(measured), lesson(PAPER).choices[-1]
    page.radio(key=f"predicted_{PAPER}").set_value(wrong.text).run()
    assert not page.exception
    assert right.text in page.warning[0].value
    assert any(m.value == measured.sentence() for m in page.markdown)
    page.radio(key=f"predicted_{PAPER}").set_value(right.text).run()
    assert page.success[0].value == f"Correct: {right.text}."
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.parametrize("title", ["nothing", "<b>", ""])
def test_a_link_to_an_unknown_lesson_opens_the_first(title):
    assert open_page("lessons", lesson=title).radio(key="lesson").value == TITLES[0]


def test_lessons_are_turned_one_by_one_and_answers_are_kept_and_counted():
    page = open_page("lessons", lesson=PAPER)
    answer = lesson(PAPER).choices[0].text
    page.radio(key=f"predicted_{PAPER}").set_value(answer).run()
    assert "Lesson 8 of 8 · 1 answered" in page.get("progress")[0].proto.text
    assert page.button(key="turn_Next lesson").disabled
    page.button(key="turn_Previous lesson").click().run()
    assert page.radio(key="lesson").value == TITLES[-2]
    assert "Lesson 7 of 8 · 1 answered" in page.get("progress")[0].proto.text
    page.button(key="turn_Next lesson").click().run()
    assert page.radio(key=f"predicted_{PAPER}").value == answer


def test_a_link_leads_from_a_lesson_to_its_story_step_question_and_slot():
    edit = ClampGate(gate="forget", value=1.0)
    live = Live(text="", story=3, step=2, question="Where is Mary?", slot=13, edits=(edit,))
    assert live_query(live) == {
        "model": MODEL,
        "source": "Generated",
        "task": "qa1",
        "seed": "3",
        "step": "2",
        "question": "Where is Mary?",
        "slot": "13",
        "edits": to_json([edit]),
    }
    page = open_page("lessons", lesson=PAPER)
    page.radio(key=f"predicted_{PAPER}").set_value(lesson(PAPER).choices[0].text).run()
    links = {link.proto.label: link.proto.page for link in page.get("page_link")}
    assert links["See it live"] == "compare"


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES[:-1])
def test_a_lesson_is_seen_live_in_a_story_of_its_sample(title):
    live = load_measured(title).live
    story = lesson_sample().stories[live.story]
    assert 1 <= live.step <= len(story.sentences)
    person = live.question.removeprefix("Where is ").removesuffix("?")
    assert any(person in sentence for sentence in story.sentences[: live.step])
    assert live.edits or f"slot **{live.slot}**" in live.text


@pytest.mark.slow
@pytest.mark.parametrize("at", range(len(TITLES)), ids=TITLES)
def test_the_lessons_that_ship_measured_are_what_the_code_measures_now(lm, at):
    """If they are not: python -m lm2viz.lessons.shipped"""
    measured = lesson_json(LESSONS[at], load_measured(TITLES[at]))
    assert differences(measured_lessons(lm)[at], json.loads(json.dumps(measured)), 2e-4) == []
