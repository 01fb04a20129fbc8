"""Test stories: always the same, of the length they say, with noise that bears on nothing asked."""

import pytest

from lm2core.babi.people import ask_person_place
from lm2core.babi.story import Statement
from lm2core.babi.world import HOME
from lm2core.compare.story_set import StorySet


def expected(story) -> list[Statement]:
    """What the sentences of a qa1 story say, read from their words."""
    words = [sentence.rstrip(".").split() for sentence in story.sentences]
    assert all(w[0] in HOME.actors and w[-1] in HOME.places for w in words)
    return [Statement(w[0], "move", w[-1]) for w in words]


def test_a_set_is_the_same_whenever_it_is_drawn_and_another_one_differs():
    a, again = (StorySet(task="qa1", n_told=6, n_stories=5).stories() for _ in range(2))
    assert a == again
    assert a != StorySet(task="qa1", n_told=6, n_noise=2, n_stories=5).stories()


@pytest.mark.parametrize(("n_told", "n_noise"), [(7, 0), (5, 13)])
def test_the_question_comes_last_and_its_answer_is_what_the_sentences_say(n_told, n_noise):
    for story in StorySet(task="qa1", n_told=n_told, n_noise=n_noise, n_stories=40).stories():
        (question,) = story.questions
        assert len(story.sentences) == question.n_statements == n_told + n_noise
        history = expected(story)
        question_list = ask_person_place(history, question.support[0], None)
        assert (question_list.text, question_list.answer, question_list.support) == (
            question.text,
            question.answer,
            question.support,
        )


def test_noise_names_nobody_who_is_asked_about_and_the_fact_is_as_old_as_it():
    ages = set()
    for story in StorySet(task="qa1", n_told=5, n_noise=13, n_stories=60).stories():
        (question,) = story.questions
        person = question.text.rstrip("?").split()[-1]
        assert all(s.subject != person for s in expected(story)[5:])
        ages.add(17 - question.support[0])
    assert ages == {13, 14, 15, 16, 17}


def test_an_object_stays_where_it_was_during_noise():
    """Noise consists of moves alone, by people who do not hold what is asked about."""
    for story in StorySet(task="qa2", n_told=12, n_noise=9, n_stories=30).stories():
        (question,) = story.questions
        named = {story.sentences[i].split()[0] for i in question.support}
        for sentence in story.sentences[12:]:
            assert sentence.split()[0] not in named
            assert sentence.rstrip(".").split()[-1] in HOME.places


def test_what_cannot_be_told_is_refused():
    with pytest.raises(ValueError, match="task qa4 has no noise; choose from"):
        StorySet(task="qa4", n_told=2, n_noise=1)
    with pytest.raises(ValueError, match="a story of qa4 has 2 sentences; ask for"):
        StorySet(task="qa4", n_told=5).stories()
    with pytest.raises(ValueError, match="unknown task 'qa99'"):
        StorySet(task="qa99", n_told=5)
