"""The words of a task are those of its published file and of the stories we make, all and no others."""

from random import Random

import pytest

from lm2core.babi.tasks import make_story
from lm2core.babi.text import read_babi
from lm2core.babi.vocabulary import LISTS, PATHS, WORDS, babi_words


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


@pytest.mark.parametrize(("n_tasks", "n_words"), [(10, 74), (20, 158)])
def test_the_tasks_have_the_published_number_of_words(n_tasks, n_words):
    """As counted on the published files, where a list or a path counts as its parts."""
    words = babi_words(list(WORDS)[:n_tasks])
    parts = {part for word in words & {*LISTS, *PATHS} for part in word.split(",")}
    assert len(words - {*LISTS, *PATHS} | parts) == n_words


def test_there_are_twelve_lists_and_twelve_paths():
    """A path takes two steps and does not go back."""
    words = babi_words(WORDS)
    assert len(words & set(LISTS)) == len(words & set(PATHS)) == 12
    assert "n,s" not in words
