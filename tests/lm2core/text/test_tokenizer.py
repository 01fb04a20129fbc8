"""Tokenizers for stories: words, lists, and parts of the words of any other text."""

import pytest

from lm2core.babi.vocabulary import LISTS, WORDS, babi_words
from lm2core.text.tokenizer import PAD, UNKNOWN, check_words, subword_tokenizer, word_tokenizer

TEXTS = ["The interpreter reads the module's source.", "A module may be reloaded; its namespace is kept."] * 3


def test_a_list_is_one_word_and_punctuation_another():
    tokenizer = word_tokenizer(babi_words(WORDS))
    assert tokenizer.tokenize("What is Mary carrying? Apple,Milk.") == [
        *("what", "is", "mary", "carrying", "?", "apple,milk", ".")
    ]
    assert all(len(tokenizer.tokenize(things)) == 1 for things in LISTS)


def test_a_comma_between_spaces_is_no_list():
    tokenizer = word_tokenizer(["apple", "milk", ","])
    assert tokenizer.tokenize("apple, milk ,apple") == ["apple", ",", "milk", ",", "apple"]


def test_every_word_of_a_story_is_one_token_beside_parts_of_other_words():
    words = babi_words(WORDS)
    tokenizer = subword_tokenizer(words, TEXTS, vocab_size=60)
    assert all(tokenizer.tokenize(word) == [word] for word in words)
    parts = tokenizer.tokenize("namespaces")
    assert len(parts) > 1
    assert "".join(part.removeprefix("##") for part in parts) == "namespaces"
    check_words(tokenizer, ["Mary reloaded the source."])


def test_ids_begin_with_padding_and_follow_the_alphabet():
    tokenizer = subword_tokenizer(["zebra", "Apple"], TEXTS, vocab_size=50)
    ids = tokenizer.get_vocab()
    assert (ids[PAD], ids[UNKNOWN]) == (0, 1)
    ordered = sorted(set(ids) - {PAD, UNKNOWN})
    assert [ids[token] for token in ordered] == list(range(2, len(ids)))


def test_a_character_that_no_text_has_is_refused_by_name():
    tokenizer = subword_tokenizer(["mary"], TEXTS, vocab_size=50)
    with pytest.raises(ValueError, match="unknown words: Ω1;"):
        check_words(tokenizer, ["mary Ω1"])
