"""Questions followed back to sentences."""

from dataclasses import replace

import numpy as np
import pytest

from lm2viz.provenance import agreement, trace_answer
from lm2viz.provenance.answers import read_weights
from tests.handmade import SLOT_OF
from tests.lm2viz.provenance.conftest import STORIES


def test_the_last_sentence_about_the_asked_person_has_share_one(handmade):
    trace, question_list = handmade
    for i, story in enumerate(STORIES):
        result = trace_answer(trace, question_list, i)
        expected = np.zeros(len(story.sentences) + 1)
        expected[list(story.questions[0].support)] = 1.0
        np.testing.assert_allclose(result.written, expected, atol=1e-3)
        np.testing.assert_allclose(result.origin, expected, atol=1e-3)
        assert result.precision() == 1
        assert result.any_slot.max() < 0.8


def test_a_question_reads_the_slot_of_its_person(handmade):
    _, question_list = handmade
    for i, story in enumerate(STORIES):
        weights = read_weights(question_list, i)
        assert weights.sum() == pytest.approx(1)
        person = story.questions[0].text.removeprefix("where ").rstrip("?")
        assert weights[SLOT_OF[person]] > 0.999


def test_scores_sum_to_one_directly_and_indirectly(random):
    trace, question_list = random
    for follow in ("copies", "stream"):
        result = trace_answer(trace, question_list, 5, follow=follow)
        for scores in (result.written, result.origin, result.any_slot):
            assert scores.sum() == pytest.approx(1, abs=1e-5)
        assert np.abs(result.indirect).max() > 0


def test_reading_every_slot_alike_is_the_mean_of_shuffled_slots(random):
    trace, question_list = random
    hooks = [name for name in question_list.arrays if name.endswith("read_pattern")]
    rolled = []
    for shift in range(5):
        edited = {name: np.roll(question_list.arrays[name], shift, axis=-1) for name in hooks}
        shuffled = replace(question_list, arrays={**question_list.arrays, **edited})
        rolled.append(trace_answer(trace, shuffled, 3).origin)
    np.testing.assert_allclose(
        np.mean(rolled, axis=0), trace_answer(trace, question_list, 3).any_slot, atol=1e-6
    )


def test_the_result_marks_supports_beside_the_controls(handmade):
    trace, question_list = handmade
    result = trace_answer(trace, question_list, 0)
    (support,) = STORIES[0].questions[0].support
    message = result.summary()
    assert f"100% {support}: {STORIES[0].sentences[support]} (0% via other slots" in message
    assert ", supporting fact" in message and "every slot read equally" in message
    assert "equal shares would be 12%" in message
    table = result.table()
    assert list(table["is_support"]) == [s == support for s in range(8)]
    figure = result.figure()
    assert [bar.name for bar in figure.data] == [
        "directly",
        "via other slots",
        "control: every slot read equally",
    ]
    assert figure.data[0].y[support].endswith("*")


def test_a_question_that_is_not_there_is_refused(handmade):
    trace, question_list = handmade
    with pytest.raises(ValueError, match="no question 15; there are 15, counted from 0"):
        trace_answer(trace, question_list, 15)


def test_a_question_that_read_nothing_is_refused_alone_and_left_out_among_many(handmade):
    trace, question_list = handmade
    name = "blocks.1.hook_mem_out"
    read = question_list.arrays[name].copy()
    read[4] = 0.0
    silent = replace(question_list, arrays={**question_list.arrays, name: read})
    with pytest.raises(ValueError, match=r"read nothing, or what it read is not finite; check hook_mem_out"):
        trace_answer(trace, silent, 4)
    assert agreement(trace, silent).n_nan == 1
