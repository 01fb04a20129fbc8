"""English stories: answers follow from the sentences, and every tool for bAbI stories takes them."""

import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory, read_babi, write_babi
from lm2core.babilong.background_text import Noise
from lm2core.english.counterfactual import draw_counterfactual
from lm2core.english.in_book import in_book
from lm2core.english.kinds import KINDS
from lm2core.english.lexicon import lexicon
from lm2core.english.questions import FORMS, worded
from lm2core.english.stories import draw_story, make_stories, single_questions

TRAIN, TEST = lexicon("train"), lexicon("test")
NUMBERS = ("zero", "one", "two", "three")
EDITS = [(kind, edit) for kind in KINDS for edit in KINDS[kind].edits]


def stories(kind, n=40, **sizes):
    return [draw_story(kind, Random(seed), TRAIN, **sizes) for seed in range(n)]


def expected(story, question):
    """The answer by the known facts, or by the last give that fits, without any rule of the generator."""
    said = [s.statement for s in story.sentences[: question.n_statements]]
    facts = {name: fact.value for name, fact in story.facts[question.n_statements - 1].items()}
    gives = [s for s in said if s.relation == "give"]
    match question.form:
        case "where-person":
            return facts[f"place of {question.person}"]
        case "where-thing":
            return facts[f"place of {question.thing}"]
        case "who-has":
            return facts[f"holder of {question.thing}"]
        case "whether-place":
            return "yes" if facts[f"place of {question.person}"] == question.place else "no"
        case "how-many":
            holders = [who for name, who in facts.items() if name.startswith("holder of ")]
            return NUMBERS[holders.count(question.person)]
        case "what-given":
            return [g.target for g in gives if (g.subject, g.other) == (question.person, question.other)][-1]
        case "who-gave":
            return [g.subject for g in gives if (g.target, g.other) == (question.thing, question.other)][-1]
        case "who-received":
            return [g.other for g in gives if (g.target, g.subject) == (question.thing, question.person)][-1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_follows_from_the_sentences_before_the_question(kind):
    asked = [(story, question) for story in stories(kind) for question in story.questions]
    assert len(asked) > 60
    for story, question in asked:
        assert question.answer == expected(story, question)
        assert all(0 <= s < question.n_statements for s in question.support)


def test_every_form_of_question_is_asked_and_a_thing_is_placed_by_two_facts():
    asked = [question for kind in KINDS for story in stories(kind) for question in story.questions]
    assert {question.form for question in asked} == {*FORMS}
    assert {len(q.support) for q in asked if q.form == "where-thing"} == {2}
    counts = Counter(q.answer for q in asked if q.form == "how-many")
    assert {*counts} == {*NUMBERS} and max(counts.values()) < 0.5 * counts.total()
    whether = Counter(q.answer for q in asked if q.form == "whether-place")
    assert {*whether} == {"yes", "no"} and max(whether.values()) < 0.6 * whether.total()


@pytest.mark.parametrize(("place", "preposition"), [("kitchen", "in"), ("station", "at"), ("roof", "on")])
def test_the_answer_continues_the_prompt_after_the_preposition_of_its_place(place, preposition):
    where = worded(Question("Where is Irene?", place, (0,), 1), 0)
    assert where.prompt == f"Where is Irene? Irene is {preposition} the" and where.answer == place
    whether = worded(Question(f"Is Irene in the {place}?", "no", (0,), 1), 9)
    assert whether.prompt == f"If I went to the {place}, would Irene be there? The answer would be"
    again = worded(Question(f"Is Irene in the {place}?", "no", (0,), 1), 0)
    assert again.text == f"Is Irene {preposition} the {place}?"


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_whole_and_no_field_is_left_open(kind):
    for story in stories(kind, 20):
        for text in (*(s.text for s in story.sentences), *(q.prompt for q in story.questions)):
            assert re.fullmatch(r"[A-Z][A-Za-z ,?]*(\.|\?.*)", text) and "  " not in text, text


def test_the_same_seed_gives_the_same_story_and_another_one_another():
    for kind in KINDS:
        assert make_stories(kind, 3, 5, TRAIN) == make_stories(kind, 3, 5, TRAIN)
        assert make_stories(kind, 1, 5, TRAIN) != make_stories(kind, 1, 6, TRAIN)
        assert make_stories(kind, 3, 5, TRAIN)[1:] == make_stories(kind, 2, 6, TRAIN)


@pytest.mark.parametrize("prompted", [False, True])
def test_a_file_of_english_stories_reads_back_as_it_was(tmp_path, prompted):
    written = [story.as_babi(prompted=prompted) for kind in KINDS for story in stories(kind, 4)]
    write_babi(tmp_path / "english.txt", written)
    if prompted:  # a text that is no question is one by its answer
        assert "?" in (tmp_path / "english.txt").read_text()
    again = read_babi(tmp_path / "english.txt")
    asked = [story for story in written if story.questions]
    assert [(s.sentences, s.questions) for s in again if s.questions] == [
        (s.sentences, s.questions) for s in asked
    ]


@pytest.mark.parametrize(("kind", "edit"), EDITS)
def test_a_counterfactual_changes_the_answer_and_no_length(kind, edit):
    rng = Random(1)
    for _ in range(2):
        pair = draw_counterfactual(kind, edit, rng, TRAIN, n_sentences=8)
        assert (pair.answer == pair.edited_answer) == (edit == "placebo")
        differ = [a != b for a, b in zip(pair.sentences, pair.edited, strict=True)]
        assert [i for i, other in enumerate(differ) if other] == sorted(pair.changed)
        for a, b in zip(pair.sentences, pair.edited, strict=True):
            assert len(a.split()) == len(b.split())
        assert pair.stories[1].sentences == pair.edited


def test_an_edit_that_a_kind_does_not_allow_is_refused():
    with pytest.raises(ValueError, match="gifts stories have no 'order' counterfactuals; choose from"):
        draw_counterfactual("gifts", "order", Random(0), TRAIN)


def test_single_questions_come_at_the_end_of_equally_long_stories():
    drawn = list(islice(single_questions("two-facts", 3, TEST, n_sentences=7, prompted=True), 12))
    for story in drawn:
        (question,) = story.questions
        assert len(story.sentences) == question.n_statements == 7
        assert not question.text.endswith("?")
    assert drawn[:5] == list(islice(single_questions("two-facts", 3, TEST, n_sentences=7, prompted=True), 5))


def test_in_a_book_sentences_keep_their_order_and_questions_their_support():
    book = Noise("a book", "train", tuple(f"It was chapter {i}." for i in range(30)))
    for seed, story in enumerate(stories("one-fact", 10, n_sentences=5)):
        babi = story.as_babi()
        mixed = in_book(babi, book, 20, Random(seed))
        assert isinstance(mixed, TextStory) and len(mixed.sentences) == 25
        assert [s for s in mixed.sentences if s not in book.sentences] == list(babi.sentences)
        for question, was in zip(mixed.questions, babi.questions, strict=True):
            before = mixed.sentences[: question.n_statements]
            assert [s for s in before if s not in book.sentences] == list(babi.sentences[: was.n_statements])
            assert [mixed.sentences[s] for s in question.support] == [babi.sentences[s] for s in was.support]
    with pytest.raises(ValueError, match="31 sentences of a book, whose train share has 30; ask for fewer"):
        in_book(stories("one-fact", 1)[0].as_babi(), book, 31, Random(0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "riddles"}, "unknown kind 'riddles' of stories; known: one-fact"),
        ({"n_sentences": 0}, "n_sentences = 0; a story has at least 1"),
        ({"n_people": 500}, "a story with 500 people; give 1 to 295"),
    ],
)
def test_an_impossible_story_is_refused(wrong, message):
    kind = wrong.pop("kind", "one-fact")
    with pytest.raises(ValueError, match=message):
        draw_story(kind, Random(0), TRAIN, **wrong)
    with pytest.raises(ValueError, match="seed -1; give 0 or more"):
        make_stories("one-fact", 1, -1, TRAIN)
