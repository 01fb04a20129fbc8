"""Reading, asking and scoring, on an untrained model of the story vocabulary."""

import pytest
import torch

from lm2core.babi.tasks import Question, make_story
from lm2core.babi.text import TextStory
from lm2core.babi.vocabulary import babi_words
from lm2core.evaluation.intervals import wilson_interval
from lm2core.evaluation.stories import predict, score
from lm2core.reading.answers import READ_HOOKS, ask, bank_after, read_stories, read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import check_words, encode_segments, word_tokenizer
from tests.conftest import make_model

STORY = ("Mary went to the kitchen.", "Mary took the milk there.", "John moved to the office.")


@pytest.fixture(scope="module")
def lm() -> LoadedModel:
    tokenizer = word_tokenizer(babi_words(("qa1", "qa2", "qa3")))
    return LoadedModel("untrained", make_model(vocab_size=len(tokenizer)), tokenizer)


def test_a_story_is_one_segment_a_sentence_with_its_words(lm):
    trace = read_story(lm, STORY)
    assert trace.tokens == [[["mary", "went", "to", "the", "kitchen", "."],
                             ["mary", "took", "the", "milk", "there", "."],
                             ["john", "moved", "to", "the", "office", "."]]]  # fmt: skip
    assert trace.n_segments == 3
    assert trace.info["model"] == "untrained"


def test_the_bank_of_a_step_is_the_bank_of_the_story_cut_there(lm):
    trace = read_story(lm, STORY)
    for n in (1, 2):
        cut = read_story(lm, STORY[:n])
        torch.testing.assert_close(
            bank_after(trace, n, lm.model), bank_after(cut, n, lm.model), rtol=0, atol=2e-6
        )
    assert torch.equal(bank_after(trace, 0, lm.model), lm.model.new_memory(1))


def test_an_answer_is_a_distribution_over_the_vocabulary_likeliest_first(lm):
    answer = ask(lm, "Where is Mary?", lm.model.new_memory(1))
    assert sum(answer.probabilities) == pytest.approx(1)
    assert list(answer.probabilities) == sorted(answer.probabilities, reverse=True)
    assert len(set(answer.words)) == len(lm.tokenizer)


def test_the_question_mark_may_be_left_out(lm):
    bank = lm.model.new_memory(1)
    assert ask(lm, "where is mary", bank).words == ask(lm, "Where is Mary?", bank).words


def test_a_question_shows_what_it_read(lm):
    trace = ask(lm, "Where is Mary?", lm.model.new_memory(1)).trace
    assert trace.tokens == [[["where", "is", "mary", "?"]]]
    assert {name.split(".", 2)[2] for name in trace.arrays} == set(READ_HOOKS)
    assert trace.select("blocks.0.mem.hook_read_pattern").shape == (1, 1, 3, 4, 5)


def test_unknown_words_are_named_with_those_that_can_be_used(lm):
    with pytest.raises(ValueError, match=r"unknown words: Gandalf, cellar; this model knows: .*apple.*went"):
        read_story(lm, ["Gandalf went to the cellar.", "Gandalf went to the office."])
    with pytest.raises(ValueError, match="unknown words: wizard"):
        ask(lm, "Where is the wizard?", lm.model.new_memory(1))


def test_an_empty_story_or_question_is_refused(lm):
    with pytest.raises(ValueError, match="the story is empty; give it at least one sentence"):
        read_story(lm, [])
    with pytest.raises(ValueError, match="the story 2 of 3 is empty; give it"):
        read_stories(lm, [TextStory(STORY[:n], ()) for n in (2, 0, 1)])
    with pytest.raises(ValueError, match="there is no story to read; give at least one"):
        read_stories(lm, [])
    with pytest.raises(ValueError, match="the question is empty"):
        ask(lm, "  ", lm.model.new_memory(1))


def test_two_thousand_sentences_are_refused_by_the_budget_or_read(lm):
    story = STORY * 667
    with pytest.raises(ValueError, match="raise the budget"):
        read_story(lm, story, budget="1MB")
    trace = read_story(lm, story, names=["hook_bank"])
    assert trace.n_segments == 2001
    assert trace.select("hook_bank", story=0, segment=2000).any()


def test_answers_do_not_depend_on_the_other_stories_of_a_batch(lm):
    from random import Random

    stories = [make_story(task, Random(i)) for i, task in enumerate(["qa1", "qa3", "qa2", "qa2"])]
    together = predict(lm, stories)
    assert together == [predict(lm, [story])[0] for story in stories]
    assert [len(words) for words in together] == [5, 5, 5, 5]


def test_a_question_before_any_sentence_is_asked_of_a_fresh_bank(lm):
    story = TextStory(STORY, (Question("Where is Mary?", "kitchen", (), 0),))
    words = ask(lm, "Where is Mary?", lm.model.new_memory(1)).words
    assert predict(lm, [story]) == [[words[0]]]


def test_scores_and_floors_by_hand():
    questions = [("kitchen", 1), ("office", 3), ("kitchen", 3), ("kitchen", 3)]
    story = TextStory(STORY, tuple(Question("Where is Mary?", answer, (), n) for answer, n in questions))
    result = score([story], [["kitchen", "OFFICE", "office", "milk"]])
    assert (result.n, result.accuracy, result.majority, result.last_mentioned) == (4, 0.5, 0.75, 0.5)
    assert result.low < 0.5 < result.high


def test_an_oracle_scores_one_and_a_missing_answer_is_refused():
    story = TextStory(STORY, (Question("Where is Mary?", "kitchen", (0,), 1),))
    assert score([story], [["kitchen"]]).accuracy == 1
    with pytest.raises(ValueError, match="0 answers for 1 questions"):
        score([story], [[]])


def test_wilson_interval_by_hand():
    low, high = wilson_interval(8, 10)  # Wilson 1927, worked: 0.4902 to 0.9433
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson_interval(0, 5)[0] == 0
    assert wilson_interval(5, 5)[1] == 1


def test_sentences_are_padded_on_the_right_and_masked(lm):
    ids, mask = encode_segments(lm.tokenizer, [STORY[:1], ["John moved."]])
    assert ids.shape == mask.shape == (2, 1, 6)
    assert mask.sum(-1).tolist() == [[6], [3]]
    assert (ids[1, 0, 3:] == 0).all()


def test_a_tokenizer_without_unknown_token_takes_every_word(lm):
    class Open:
        unk_token_id = None

    check_words(Open(), ["anything at all"])
