"""Sentences as segments: what a Llama's tokenizer begins them with, and what is shown of their tokens."""

import pytest
from tokenizers import pre_tokenizers

from lm2core.errors import UserError
from lm2core.reading.answers import read_story
from lm2core.reading.checkpoints import load, shipped_models
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.sentence_tokens import begin_sentences
from lm2core.text.shown_words import START, segment_words, shown_words
from lm2core.text.tokenizer import encode_segments, segment_ids
from tests.small_llama import STORY, save_llama, small_tokenizer, with_memory

FIRST = "<|endoftext|>"


@pytest.fixture
def tokenizer():
    tokenizer = small_tokenizer()
    begin_sentences(tokenizer, tokenizer.bos_token_id)
    return tokenizer


def test_a_sentence_begins_with_the_first_token_and_its_first_word_with_a_space(tokenizer):
    (ids,) = segment_ids(tokenizer, ["Mary went to the kitchen."])
    tokens = tokenizer.convert_ids_to_tokens(ids)
    assert tokens[:3] == [FIRST, "ĠMary", "Ġwent"]
    assert segment_ids(tokenizer, ["kitchen"])[0][1:] == ids[-2:-1], "the same token as within a sentence"


def test_splits_before_the_bytes_keep_their_parts_without_spaces():
    tokenizer = small_tokenizer()
    parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    begin_sentences(tokenizer, 0)
    assert segment_words(tokenizer, "Mary is 12.") == [START, "Mary", "is", "\u2423", "1", "2", "."]


def test_a_tokenizer_that_begins_texts_itself_keeps_its_token(tokenizer):
    begin_sentences(tokenizer, 5)
    assert segment_ids(tokenizer, ["Mary"])[0][0] == tokenizer.bos_token_id
    assert len(segment_ids(tokenizer, ["Mary"])[0]) == 2


def test_a_first_token_that_there_is_not_is_refused():
    for first in (None, 9_999):
        with pytest.raises(UserError, match=f"bos_token_id={first} is no token of the tokenizer"):
            begin_sentences(small_tokenizer(), first)


def test_an_empty_sentence_has_no_token_not_even_the_first(tokenizer):
    _, mask = encode_segments(tokenizer, [("", "Mary went.")])
    assert mask[0, 0].sum() == 0 and mask[0, 1].sum() == 4


@pytest.mark.parametrize("name", shipped_models())
def test_the_tokenizers_of_stories_add_nothing(name):
    tokenizer = load(name).tokenizer
    (ids,) = segment_ids(tokenizer, ["Mary went to the kitchen."])
    assert tokenizer.convert_ids_to_tokens(ids) == ["mary", "went", "to", "the", "kitchen", "."]
    assert segment_words(tokenizer, "Where is Mary?") == ["where", "is", "mary", "?"]


def test_words_are_shown_without_the_letters_of_bytes(tokenizer):
    assert segment_words(tokenizer, "Mary went\n to the thicket.") == [
        START, "Mary", "went", r"\n", "to", "the", *"thicket", ".",
    ]  # fmt: skip
    (accented,) = segment_ids(tokenizer, ["é"])
    assert shown_words(tokenizer, accented)[-2:] == ["\ufffd", "\ufffd"], "one character of two tokens"


def test_a_trace_has_a_word_for_every_token_that_is_read(tmp_path, tokenizer):
    lm = LoadedModel("small", with_memory(save_llama(tmp_path)), tokenizer)
    trace = read_story(lm, STORY)
    (ids,), (mask,) = encode_segments(tokenizer, [STORY])
    assert [len(words) for words in trace.tokens[0]] == mask.sum(-1).tolist()
    assert trace.tokens[0][0] == [START, "Mary", "went", "to", "the", "kitchen", "."]
