"""Slots by sentence and token, on the handmade model where the truth is known."""

import numpy as np
import pytest

from lm2viz.provenance import unroll
from tests.handmade import SLOT_OF, UNUSED
from tests.lm2viz.provenance.conftest import STORIES


def test_a_person_s_slot_is_all_of_the_last_sentence_about_the_person(handmade):
    trace, _ = handmade
    for b, story in enumerate(STORIES):
        last = len(story.sentences) - 1
        result = unroll(trace, b, last)
        for person, slot in SLOT_OF.items():
            output = [s for s, statement in enumerate(story.statements) if statement.subject == person]
            expected = np.zeros(last + 2)
            expected[output[-1] if output else -1] = 1.0
            np.testing.assert_allclose(result.origin[:, slot], expected, atol=1e-4)
            np.testing.assert_allclose(result.written[:, slot], expected, atol=1e-4)
        np.testing.assert_allclose(result.origin[-1, list(UNUSED)], 1, atol=1e-3)
        assert result.error < 1e-6


def test_the_token_that_wrote_is_the_place(handmade):
    trace, _ = handmade
    result = unroll(trace, 0, 6)
    story = STORIES[0]
    sentence = 6
    slot = SLOT_OF[story.statements[sentence].subject]
    tokens = result.tokens.set_index(["sentence", "word"])[f"slot {slot}"]
    assert tokens[sentence, story.statements[sentence].target] == pytest.approx(1, abs=1e-4)
    assert tokens.drop((sentence, story.statements[sentence].target)).abs().max() < 1e-4


def test_shares_of_a_slot_sum_to_one(random):
    trace, _ = random
    result = unroll(trace, 12, 3, follow="stream")
    np.testing.assert_allclose(result.written.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(result.origin.sum(axis=0), 1, atol=1e-5)
    assert len(result.tokens) == 3 * sum(map(len, trace.tokens[12][:4]))


def test_the_result_names_sentences_error_and_even_shares(handmade, copied):
    trace, _ = handmade
    result = unroll(trace, 0, 6)
    slot = SLOT_OF[STORIES[0].statements[6].subject]
    assert f"slot {slot}: 100% from 6: {STORIES[0].sentences[6]} (0% via other slots)" in result.summary()
    assert "equal shares would be 12%" in result.summary()
    assert "the parts add up to the bank to within" in result.summary()
    table = result.table()
    assert len(table) == 8 * 5
    assert table.loc[(table["slot"] == slot), "direct"].sum() == pytest.approx(1, abs=1e-4)
    message = unroll(copied, 0, 2)
    assert message.sources == ("0: fill", "1: copy", "2: add", "start bank")
    assert "slot 1: 67% from 0: fill (67% via other slots)" in message.summary()


def test_the_figure_is_symmetric_about_zero(handmade):
    trace, _ = handmade
    (heatmap,) = unroll(trace, 0, 6).figure().data
    assert (heatmap.zmin, heatmap.zmax) == (-1, 1)
    assert np.shape(heatmap.z) == (8, 5)


@pytest.mark.parametrize(
    ("story", "step", "text"),
    [
        (99, 0, "no sentence 0 of story 99: the trace has 15 stories; both count from 0"),
        (
            0,
            7,
            "no sentence 7 of story 0: the trace has 15 stories, story 0 has 7 sentences; both count from 0",
        ),
        (0, -1, "no sentence -1 of story 0"),
    ],
)
def test_a_place_that_is_not_there_is_refused(handmade, story, step, text):
    with pytest.raises(ValueError, match=text):
        unroll(handmade[0], story, step)
