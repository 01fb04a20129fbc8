"""The words of a task are those of its published file and of the stories we make, all and no others."""

from random import Random

import pytest

from lm2core.babi.tasks import make_story
from lm2core.babi.text import read_babi
from lm2core.babi.vocabulary import LISTS, WORDS, babi_words


def words_of(stories):
    texts = {s for story in stories for s in story.sentences}
    texts |= {q.text for story in stories for q in story.questions}
    words = {word for text in texts for word in text.lower().replace(".", " .").replace("?", " ?").split()}
    return words | {q.answer.lower() for story in stories for q in story.questions}


@pytest.mark.parametrize("task", WORDS)
def test_the_words_of_a_task_are_those_of_its_stories(task):
    rng = Random(3)
    words = words_of([make_story(task, rng) for _ in range(600)])
    assert words <= WORDS[task]
    assert WORDS[task] - words <= set(LISTS)  # three things in one hand are rare


@pytest.mark.parametrize("task", WORDS)
def test_the_words_of_a_task_are_those_of_the_published_file(task, published):
    words = words_of(read_babi(published(task)))
    assert words <= WORDS[task]
    assert WORDS[task] - words <= set(LISTS)


def test_ten_tasks_have_the_published_number_of_words_and_twelve_lists():
    """74 word types, as counted on the published files, if a list counts as its parts."""
    words = babi_words(WORDS)
    assert len(words - set(LISTS)) == 74
    assert len(words & set(LISTS)) == 12
