"""What would be read wrongly is refused in one line, before anything is read."""

from dataclasses import replace

import pytest
import torch

from lm2core.babi.tasks import make_stories
from lm2core.babi.text import TextStory
from lm2core.babi.vocabulary import babi_words
from lm2core.errors import UserError
from lm2core.reading.answers import (
    answers_by_step,
    ask,
    bank_after,
    memory_after,
    read_stories,
    read_story,
)
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2core.reading.story_traces import record_questions
from lm2core.text.tokenizer import encode_segments, word_tokenizer
from tests.conftest import make_model

STORY = ("Mary went to the kitchen.", "Mary took the milk there.", "John moved to the office.")


@pytest.fixture(scope="module")
def lm() -> LoadedModel:
    tokenizer = word_tokenizer(babi_words(("qa1", "qa2")))
    return LoadedModel("a model", make_model(vocab_size=len(tokenizer)), tokenizer)


@pytest.mark.parametrize(
    "read",
    [
        lambda lm, text: read_story(lm, text),
        lambda lm, text: memory_after(lm, text),
        lambda lm, text: answers_by_step(lm, text, "Where is Mary?"),
        lambda lm, text: encode_segments(lm.tokenizer, text),
        lambda lm, text: encode_segments(lm.tokenizer, [text]),
    ],
)
def test_one_text_is_not_taken_letter_by_letter(lm, read):
    with pytest.raises(
        UserError, match=r"must be a list of texts, got one text 'Mary went to the kitchen\.'"
    ):
        read(lm, STORY[0])


def test_one_hook_name_is_a_list_of_one(lm):
    assert set(read_story(lm, STORY, names="hook_bank").arrays) == {"hook_bank"}
    trace = read_stories(lm, make_stories("qa1", 2, seed=0))
    assert len(record_questions(lm, trace, names="hook_mem_out").arrays) == 3


def test_one_story_is_not_taken_for_a_list(lm):
    with pytest.raises(UserError, match=r"stories must be a list, got one story; give \[story\]"):
        read_stories(lm, TextStory(STORY, ()))


def test_a_bank_of_several_stories_is_of_the_one_that_is_named(lm):
    trace = read_stories(lm, [TextStory(STORY, ()), TextStory(STORY[1:], ())])
    with pytest.raises(UserError, match="the trace has 2 stories; choose one, story=0 to story=1"):
        bank_after(trace, 1, lm.model)
    alone = bank_after(read_story(lm, STORY[1:]), 2, lm.model)
    torch.testing.assert_close(bank_after(trace, 2, lm.model, story=1), alone, rtol=0, atol=2e-6)
    with pytest.raises(UserError, match="no bank after 3 sentences: the story has 2"):
        bank_after(trace, 3, lm.model, story=1)
    with pytest.raises(UserError, match=r"no story 2 in this trace; it has 0\.\.1"):
        bank_after(trace, 1, lm.model, story=2)


@pytest.mark.parametrize("n", [-1, 4])
def test_a_bank_after_sentences_that_are_not_there_is_refused(lm, n):
    with pytest.raises(UserError, match=f"no bank after {n} sentences: the story has 3"):
        bank_after(read_story(lm, STORY), n, lm.model)


def test_a_trace_of_another_model_is_refused_but_not_one_that_does_not_say(lm):
    trace, other = read_story(lm, STORY), untrained(lm, seed=1).model
    with pytest.raises(
        UserError, match="the trace was recorded with other weights .* record the story again"
    ):
        bank_after(trace, 2, other)
    older = replace(trace, info={name: it for name, it in trace.info.items() if name != "weights"})
    assert torch.equal(bank_after(older, 2, other), bank_after(trace, 2, lm.model))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_bank_that_is_not_finite_has_no_answer(lm, value):
    bank = lm.model.new_memory(1)
    bank[0, 1, 2] = value
    with pytest.raises(UserError, match="^1 of 60 values of the bank are NaN or infinite: there is no"):
        ask(lm, "Where is Mary?", bank)


@pytest.mark.parametrize("nothing", [None, "", 3])
def test_what_names_no_checkpoint_is_refused_with_those_there_are(nothing):
    with pytest.raises(UserError, match=r"is not a checkpoint; give a folder, .* or one of: babi-qa1-10"):
        load(nothing)
