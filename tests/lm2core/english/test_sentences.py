"""Sentences as values: what they say in which words, and pools of distinct ones."""

from random import Random

import pytest

from lm2core.babi.story import Statement
from lm2core.english.lexicon import Lexicon, lexicon
from lm2core.english.sentences import Sentence, all_sentences, count_sentences, sample_sentences

FEW = Lexicon(("Irene", "Omar", "Zoe"), ("kitchen", "roof"), ("violin",), (0, 2, 4))


@pytest.mark.parametrize(
    ("statement", "phrasing", "text"),
    [
        (Statement("Irene", "move", "kitchen"), 0, "Irene went to the kitchen."),
        (Statement("Irene", "move", "kitchen"), 2, "Irene is now in the kitchen."),
        (Statement("Irene", "move", "station"), 4, "Irene has just arrived at the station."),
        (Statement("Irene", "move", "roof"), 7, "A little later, Irene was on the roof."),
        (Statement("Omar", "get", "violin"), 8, "The violin was picked up by Omar."),
        (Statement("Omar", "drop", "violin"), 2, "Omar left the violin there."),
        (Statement("Omar", "give", "violin", "Zoe"), 3, "Zoe got the violin from Omar."),
        (Statement("Omar", "give", "violin", "Zoe"), 1, "Omar gave Zoe the violin."),
    ],
)
def test_a_sentence_says_its_statement(statement, phrasing, text):
    assert Sentence(statement, phrasing).text == text


@pytest.mark.parametrize(("relation", "n"), [("move", 18), ("get", 9), ("drop", 9), ("give", 18)])
def test_all_sentences_of_a_small_vocabulary_are_listed_once(relation, n):
    pool = list(all_sentences(FEW, relation))
    assert len(pool) == len(set(pool)) == len({s.text for s in pool}) == n == count_sentences(FEW, relation)
    assert set(sample_sentences(FEW, relation, n, Random(0))) == set(pool)


def test_a_sample_is_distinct_and_the_same_for_the_same_seed():
    train = lexicon("train")
    pool = sample_sentences(train, "give", 500, Random(3))
    assert len(set(pool)) == 500
    assert pool == sample_sentences(train, "give", 500, Random(3))
    assert pool != sample_sentences(train, "give", 500, Random(4))
    assert all(s.statement.subject != s.statement.other for s in pool)


def test_more_sentences_than_there_are_is_refused():
    with pytest.raises(ValueError, match="10 different get sentences; these words and phrasings make 9"):
        sample_sentences(FEW, "get", 10, Random(0))
