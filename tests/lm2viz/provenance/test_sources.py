"""Sources of an answer as a page shows them: few, in order, and nothing lost."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.babi.story import Question
from lm2core.reading.answers import ask, bank_after, read_story
from lm2core.reading.story_traces import single_question_trace
from lm2viz.causal import answers_without_sentences
from lm2viz.provenance import Provenance, trace_answer
from lm2viz.provenance.sources import MAX_SENTENCES, largest, sources_of
from tests.handmade import SLOT_OF, handmade_lm

SENTENCES = ("Mary kitchen", "John office", "Mary garden", "Sandra hallway", "Mary office")


def question_after(step, question="where Mary?", **known):
    lm = handmade_lm()
    trace = read_story(lm, SENTENCES)
    return trace, single_question_trace(ask(lm, question, bank_after(trace, step, lm.model)), step, **known)


def sources_after(step, **known):
    """The sources of Mary's place after some sentences, as a page shows them."""
    trace, question_trace = question_after(step, **known)
    ((_, without),) = answers_without_sentences(
        handmade_lm(), SENTENCES[:step], [Question("where Mary?", "", (), step)]
    )
    return sources_of(trace, question_trace, without)


def few(origin, support=(), without=None):
    """Three of the sources of scores made by hand; the last is the start bank's."""
    scores = np.array(origin)
    names = (*(f"{n}: sentence {n}" for n in range(len(scores) - 1)), "start bank")
    parts = 0.75 * scores, 0.25 * scores
    slot_share_of_read = np.outer(scores, [0.25, 0.75])
    result = Provenance(
        "where?", names, scores, *parts, None, scores[::-1], slot_share_of_read, support, 1e-6
    )
    return largest(result, "garden", np.full(len(scores), 0.9) if without is None else without, max_rows=3)


@pytest.mark.parametrize(("step", "number"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5)])
def test_all_that_is_read_of_mary_came_from_the_last_sentence_about_her(step, number):
    result = sources_after(step)
    assert result.numbers == (*range(1, step + 1), 0)
    expected = [float(n == number) for n in result.numbers]
    np.testing.assert_allclose(result.origin, expected, atol=1e-3)
    assert result.error < 1e-5


def test_arrows_lead_from_the_answer_through_the_person_s_slot_to_the_last_sentence_about_her():
    result = sources_after(4)
    np.testing.assert_allclose(result.slot_share_of_read.sum(axis=1), result.origin, atol=1e-9)
    expected = np.zeros((5, 5))
    expected[2, SLOT_OF["Mary"]] = 1  # the third sentence; the last row is the start bank
    np.testing.assert_allclose(result.slot_share_of_read, expected, atol=1e-3)
    figure = result.arrows()
    lines = [line for line in figure.data if line.mode == "lines"]
    assert [len(line.x) for line in lines] == [3, 3]  # one to the slot, one from it
    assert [note.text for note in figure.layout.annotations] == ["sentences", "slots", "answer"]
    names = [name for nodes in figure.data if nodes.mode == "markers+text" for name in nodes.text]
    assert "3 Mary garden" in names
    assert "garden" in names


def test_a_story_read_so_far_has_the_sources_of_the_whole_trace_at_that_step():
    np.testing.assert_array_equal(sources_after(3).origin, trace_answer(*question_after(3), 0).origin)


def test_the_largest_are_kept_in_the_order_of_the_story_and_the_rest_is_told():
    result = few([0.1, 0.3, -0.05, 0.4, 0.15, 0.1])
    assert result.numbers == (2, 4, 0)
    assert result.names == ("2 sentence 1", "4 sentence 3", "start bank")
    assert (result.n_sources, result.n_omitted) == (6, 3)
    assert result.rest == pytest.approx(0.1 - 0.05 + 0.15)
    assert result.origin.sum() + result.rest == pytest.approx(1)


def test_supporting_sentences_are_shown_however_little_they_brought():
    result = few([0.1, 0.4, 0.0, 0.3, 0.2], support=(0, 2))
    assert result.numbers == (1, 3, 0)
    assert result.support == (1, 3)


def test_sentences_that_the_answer_needs_are_shown_however_little_they_brought():
    result = few([0.1, 0.4, 0.0, 0.3, 0.2], without=np.array([0.8, 0.8, 0.7, 0.4, 0.5]))
    assert result.numbers == (2, 3, 0)
    np.testing.assert_array_equal(result.p_without, [0.7, 0.4, np.nan])
    assert result.model_answer == "garden"
    assert "garden has probability 80%, without this sentence 70%" in result.summary()


def test_the_figure_stacks_the_shares_beside_the_control_and_marks_the_support():
    figure = sources_after(3, support=(2,)).figure()
    direct, indirect, control, targets = figure.data
    assert direct.y[2] == "3 Mary garden *"
    np.testing.assert_allclose(np.add(direct.x, indirect.x), [0, 0, 1, 0], atol=1e-3)
    assert control.name == "control: every slot read equally"
    assert max(control.x) < 0.8
    assert figure.layout.shapes[0].x0 == pytest.approx(1 / 4)  # even shares: three sentences and the start


def test_beside_each_sentence_stands_how_probable_the_answer_is_without_it():
    result = sources_after(3)
    message = {a.y: a.text for a in result.figure().layout.annotations}
    assert result.model_answer == "garden"
    needed = f"<b>{result.p_without[2]:.0%}</b>"  # Mary's last move, and in bold
    rest = {"1 Mary kitchen": f"{result.p_all:.0%}", "2 John office": f"{result.p_all:.0%}"}
    assert message == {1.0: "answer<br>without it", "3 Mary garden": needed} | rest
    assert result.p_without[2] < 0.5 < result.p_all


def test_a_click_anywhere_in_a_row_brings_the_number_of_its_sentence():
    targets = sources_after(3).figure().data[-1]
    of_row = dict(zip(targets.y, targets.customdata, strict=True))
    assert of_row == {"1 Mary kitchen": 1, "2 John office": 2, "3 Mary garden": 3, "start bank": 0}
    assert targets.hoverinfo != "skip"


def test_too_long_a_story_is_refused_with_what_to_do():
    trace, question_trace = question_after(3)
    (question,) = question_trace.info["asked"]
    late = replace(question_trace, info={"asked": [question | {"n_statements": MAX_SENTENCES + 1}]})
    with pytest.raises(ValueError, match=r"121 sentences were read, .* at most 120; .* an earlier sentence"):
        sources_of(trace, late, np.ones(MAX_SENTENCES + 2))
