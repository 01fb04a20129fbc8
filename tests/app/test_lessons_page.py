"""Lessons: each measures live, its ranges hold what is measured, and the page shows that."""

import numpy as np
import pytest

from app.loaders.lessons import lesson, load_measured
from lm2core.reading.checkpoints import load
from lm2viz.estimates import Estimate
from lm2viz.lessons import LESSONS
from lm2viz.lessons.lesson import MODEL, Choice, lesson_sample, stories_of_questions
from tests.app.pages import open_page

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
