"""Known words by kind: only those of the vocabulary, and an example that it can read."""

from lm2core.babi.known_words import words_by_kind


def test_only_words_of_the_vocabulary_are_listed_and_the_example_is_made_of_them():
    said = words_by_kind(["sandra", "john", "garden", "park", "went", "to", "the", "picked", "milk"])
    assert said == (
        "people Sandra, John; places garden, park; things milk; verbs went to. "
        "For example: Sandra went to the garden."
    )  # "picked up" lacks a word


def test_a_vocabulary_without_people_is_not_sorted_by_kind():
    assert words_by_kind(["garden", "went", "to", "the"]) == ""
