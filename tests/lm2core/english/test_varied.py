"""Varied phrasings say what they are made for, and never a held-out phrasing."""

from random import Random

from lm2core.english.lexicon import lexicon
from lm2core.english.phrasings import QUESTIONS, STATEMENTS
from lm2core.english.varied import varied_prompt, varied_statement

N = 3000


def statements():
    rng = Random(5)
    return [varied_statement(rng, "Mary", "attic", "in") for _ in range(N)]


def prompts():
    rng = Random(6)
    return [varied_prompt(rng, "Mary", "at") for _ in range(N)]


def test_every_statement_names_the_person_before_the_place_and_ends_as_a_sentence():
    for text in statements():
        assert text.index("Mary") < text.index("attic") or text.startswith("The place of Mary")
        assert text[0].isupper() and text.endswith(".") and "{" not in text and "  " not in text


def test_every_prompt_ends_where_the_place_follows():
    assert all(text.endswith(" the") and "Mary" in text and "{" not in text for text in prompts())


def test_there_are_many_more_phrasings_than_are_written_out():
    assert len(set(statements())) > 1000
    assert len(set(prompts())) > 250


def test_no_held_out_phrasing_can_be_made():
    held_out = lexicon("test").phrasings
    words = {"person": "Mary", "place": "attic", "at": "in"}
    said = {STATEMENTS["move"][i].format(**words) for i in held_out}
    asked = {" ".join(QUESTIONS["where-person"][i]).format(**words | {"at": "at"}) for i in held_out}
    assert len(said) == len(asked) == 2
    assert not said & set(statements())
    assert not asked & set(prompts())
