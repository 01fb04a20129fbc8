"""Models asked along one story: every answer is that of the story cut there, and the floor needs no model."""

import numpy as np
import pytest
import torch

from lm2core.babi.known_facts import KnownFact, known_place
from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import ARCHITECTURES, make_model
from lm2core.model.config import LM2Config
from lm2core.reading.answers import answers_by_step, memory_after, ranked_words
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer
from lm2viz.compare.by_sentence import LAST_MENTIONED, TRUTH, AnswersByStep, answers_over_story
from tests.conftest import SIZES

SENTENCES = ("Mary went to the kitchen.", "John moved to the office.", "Mary journeyed to the garden.")
ASKED = "Where is Mary?"
GIVEN = (("office", 0.2), ("kitchen", 0.9), ("office", 0.6), ("garden", 0.8))


def make_lm(architecture: str) -> LoadedModel:
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    torch.manual_seed(3)
    config = LM2Config(**(SIZES | {"vocab_size": len(tokenizer), "segment_length": 9}))
    return LoadedModel(architecture, make_model(config, architecture).eval(), tokenizer)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_answer_is_that_of_the_story_cut_there(architecture):
    lm = make_lm(architecture)
    given = answers_by_step(lm, SENTENCES, ASKED)
    assert len(given) == 4
    for n, (word, probability) in enumerate(given):
        cut, likeliest = ranked_words(lm, ASKED, memory_after(lm, ("", *SENTENCES[:n])))[0]
        assert word == cut
        assert probability == pytest.approx(likeliest, abs=1e-5)


def test_the_floor_is_the_place_named_last_whoever_was_asked_for():
    result = answers_over_story(ASKED, SENTENCES, {"a model": GIVEN}, [None, "kitchen", "kitchen", "garden"])
    assert result.floor == (None, "kitchen", "office", "garden")
    assert f"{LAST_MENTIONED} 2" in result.summary()


def hand_made() -> AnswersByStep:
    given = (("office", 0.2), ("kitchen", 0.9), ("office", 0.6))
    return AnswersByStep(ASKED, {"a model": given}, (None, "kitchen", "office"), (None, "kitchen", "kitchen"))


def test_an_answer_counts_only_where_it_is_known_what_is_right():
    assert hand_made().summary() == (
        f"{ASKED} Right answers after 2 sentences: a model 1, {LAST_MENTIONED} 1."
    )
    assert list(hand_made().table()["probability"]) == [0.2, 0.9, 0.6]


def test_the_grid_says_who_is_right_and_how_sure():
    (grid,) = hand_made().figure().data
    np.testing.assert_array_equal(grid.z[0], [0.2, 0.9, 0.6])
    assert np.isnan(grid.z[1:]).all()
    assert [list(row) for row in grid.text] == [
        ["office", "kitchen ✓", "office ✗"],
        ["", "kitchen ✓", "office ✗"],
        ["", "kitchen", "kitchen"],
    ]
    assert list(hand_made().rows())[-1] == TRUTH


def test_a_story_of_which_nothing_is_known_has_no_score():
    result = answers_over_story(ASKED, SENTENCES, {"a model": GIVEN}, [None] * 4)
    assert result.summary() == f"{ASKED} The right answer is not known for this story."


def test_another_number_of_right_answers_is_refused():
    with pytest.raises(ValueError, match="2 answers for 3 sentences; give one more than sentences"):
        answers_over_story(ASKED, SENTENCES, {"a model": GIVEN}, ["kitchen", "garden"])


def test_where_no_answer_is_a_place_there_is_no_floor():
    result = answers_over_story(
        "Is Mary in the garden?", SENTENCES, {"a model": GIVEN}, [None, "no", "no", "yes"]
    )
    assert LAST_MENTIONED not in result.rows()
    assert LAST_MENTIONED not in result.summary()


def test_places_of_the_other_town_are_places_too():
    expected = ("Bill went back to the cinema.", "Julie went to the office.")
    result = answers_over_story(
        "Where is Bill?", expected, {"a model": GIVEN[:3]}, [None, "cinema", "cinema"]
    )
    assert result.floor == (None, "cinema", "office")


@pytest.mark.parametrize(
    ("question", "answer"),
    [("Where is Mary?", "kitchen"), ("Where is the milk?", None), ("Is Mary in the kitchen?", None)],
)
def test_only_where_somebody_is_can_be_looked_up(question, answer):
    assert known_place(question, {"place of Mary": KnownFact("kitchen", 0)}) == answer
