"""The lists: large enough, without repetitions, and a fifth of each apart for testing."""

import re
from itertools import chain
from random import Random
from string import Formatter

import pytest

from lm2core.english.kinds import KINDS
from lm2core.english.lexicon import Lexicon, lexicon
from lm2core.english.phrasings import N_PHRASINGS, QUESTIONS, STATEMENTS
from lm2core.english.questions import FORMS
from lm2core.english.stories import draw_story
from lm2core.english.words import PEOPLE, PLACES, THINGS

ALL_PLACES = tuple(chain.from_iterable(PLACES.values()))
FIELDS = {"person", "place", "at", "thing", "other"}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"\{\w+\}", "", text).lower()))


def all_phrasings() -> list[tuple[str, ...]]:
    """Each phrasing as its texts: a statement, or a question and its opening."""
    statements = [(text,) for texts in STATEMENTS.values() for text in texts]
    return statements + [pair for pairs in QUESTIONS.values() for pair in pairs]


def test_there_are_hundreds_of_names_places_and_things_and_ten_ways_to_say_everything():
    assert len(PEOPLE) >= 300 and len(ALL_PLACES) >= 200 and len(THINGS) >= 200
    assert set(QUESTIONS) == set(FORMS)
    for ways in (*STATEMENTS.values(), *QUESTIONS.values()):
        assert len(ways) == len(set(ways)) == N_PHRASINGS >= 6


def test_every_word_is_one_word_of_one_list_and_of_no_phrasing():
    everything = [word.lower() for word in (*PEOPLE, *ALL_PLACES, *THINGS)]
    assert len(set(everything)) == len(everything)
    assert all(re.fullmatch(r"[a-z]+", word) for word in everything)
    assert all(name.istitle() for name in PEOPLE)
    in_phrasings = set().union(*(words(text) for texts in all_phrasings() for text in texts))
    assert not in_phrasings & {*everything}


def test_phrasings_name_only_what_their_kind_has():
    for texts in all_phrasings():
        for text in texts:
            assert {field for _, field, _, _ in Formatter().parse(text) if field} <= FIELDS
    for text in STATEMENTS["move"]:
        assert "{place}" in text and ("{at}" in text or "to the" in text)
    for text in STATEMENTS["give"]:
        assert all(f"{{{field}}}" in text for field in ("person", "thing", "other"))
    for question, opening in chain.from_iterable(QUESTIONS.values()):
        assert question.endswith("?") and opening == opening.strip() and not opening.endswith(".")


def test_the_shares_have_no_word_and_no_phrasing_in_common_and_a_fifth_is_for_testing():
    train, test = lexicon("train"), lexicon("test")
    for name, all_of_it in (
        ("people", PEOPLE),
        ("places", ALL_PLACES),
        ("things", THINGS),
        ("phrasings", range(N_PHRASINGS)),
    ):
        mine, theirs = getattr(train, name), getattr(test, name)
        assert sorted((*mine, *theirs)) == sorted(all_of_it)
        assert len(theirs) == pytest.approx(len(all_of_it) / 5, abs=2)
    assert PEOPLE[4] in test.people and PEOPLE[5] in train.people
    assert test.phrasings == (4, 9)


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_and_no_phrasing_for_testing_occurs_in_a_training_story(kind):
    train, test = lexicon("train"), lexicon("test")
    kept_out = {word.lower() for word in (*test.people, *test.places, *test.things)}
    for seed in range(60):
        story = draw_story(kind, Random(seed), train)
        values = (*story.sentences, *story.questions)
        texts = [s.text for s in story.sentences] + [f"{q.prompt} {q.answer}" for q in story.questions]
        assert not words(" ".join(texts)) & kept_out
        assert not {value.phrasing for value in values} & {*test.phrasings}


@pytest.mark.parametrize("kind", KINDS)
def test_a_story_for_testing_has_only_unseen_words_and_phrasings(kind):
    train, test = lexicon("train"), lexicon("test")
    seen = {word.lower() for word in (*train.people, *train.places, *train.things)}
    for seed in range(20):
        story = draw_story(kind, Random(seed), test)
        assert not words(" ".join(s.text for s in story.sentences)) & seen
        assert {s.phrasing for s in story.sentences} <= {*test.phrasings}


def test_places_of_a_story_share_their_preposition():
    prepositions = set()
    for seed in range(40):
        cast = lexicon("test").draw_cast(Random(seed), n_people=4, n_places=6, n_things=3)
        (preposition,) = {p for p, group in PLACES.items() for place in cast.places if place in group}
        prepositions.add(preposition)
    assert prepositions == {"in", "at", "on"}


def test_a_sample_of_a_lexicon_is_part_of_it_and_too_much_is_refused():
    train = lexicon("train")
    few = train.sample(Random(0), n_people=5, n_places=7, n_things=3)
    assert (len(few.people), len(few.places), len(few.things)) == (5, 7, 3)
    assert {*few.people} < {*train.people} and few.phrasings == train.phrasings
    with pytest.raises(ValueError, match="296 of 295 words of a kind; give 1 to 295"):
        train.sample(Random(0), n_people=296, n_places=7, n_things=3)
    with pytest.raises(ValueError, match="a story with 9 places of one preposition; give 1 to 2"):
        Lexicon(few.people, ("kitchen", "roof", "zoo"), few.things, (0,)).draw_cast(
            Random(0), n_people=2, n_places=9, n_things=1
        )
    with pytest.raises(ValueError, match="unknown share 'all' of the words; known: train, test"):
        lexicon("all")
