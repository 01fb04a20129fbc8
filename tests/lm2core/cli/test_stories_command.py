"""``lm2 stories``: what it prints, what it writes, and what it refuses."""

import pytest

from lm2core.babi.text import read_babi
from lm2core.cli.main import main
from lm2core.english.lexicon import lexicon
from lm2core.english.stories import make_stories
from lm2viz.sample.rows import check_labels, read_labels


def test_stories_are_printed_with_prompts_answers_and_support(capsys):
    assert main(["stories", "--kind", "two-facts", "--seed", "3", "--sentences", "7"]) == 0
    said = capsys.readouterr().out
    (story,) = make_stories("two-facts", 1, 3, lexicon("train"), n_sentences=7)
    for sentence in story.sentences:
        assert sentence.text in said
    question = story.questions[-1]
    support = " ".join(str(s + 1) for s in question.support)
    assert f"{question.prompt} -> {question.answer} ({support})" in said


def test_written_stories_are_a_babi_file_of_the_share(tmp_path):
    out = tmp_path / "unseen.txt"
    options = ["--kind", "gifts", "--share", "test", "--stories", "3", "--seed", "5"]
    assert main(["stories", *options, "--out", str(out)]) == 0
    stories = [story.as_babi() for story in make_stories("gifts", 3, 5, lexicon("test"))]
    assert [s.sentences for s in read_babi(out)] == [s.sentences for s in stories]
    assert [s.questions for s in read_babi(out)] == [s.questions for s in stories]


@pytest.mark.parametrize(
    "book", [[], ["--book", "python", "--book-sentences", "5"]], ids=["alone", "in a book"]
)
def test_the_known_facts_lie_beside_the_written_stories_as_labels(tmp_path, book):
    out = tmp_path / "stories.txt"
    options = ["--kind", "two-facts", "--stories", "3", "--sentences", "6", *book]
    assert main(["stories", *options, "--out", str(out)]) == 0
    labels, written = read_labels(tmp_path / "stories.csv"), read_babi(out)
    check_labels(labels, [len(story.sentences) for story in written])
    for number, story in enumerate(make_stories("two-facts", 3, 0, lexicon("train"), n_sentences=6)):
        told, segment = written[number].sentences, -1
        for sentence, known in zip(story.sentences, story.facts, strict=True):
            segment = told.index(sentence.text, segment + 1)
            at = labels[(labels.story == number) & (labels.segment == segment)]
            assert dict(zip(at.fact, at.value, strict=True)) == {n: fact.value for n, fact in known.items()}


def test_a_book_comes_between_the_sentences(tmp_path, capsys):
    book = tmp_path / "book.txt"
    book.write_text(
        "\n\n".join(f"It was a long day in chapter {i} of the book they wrote." for i in range(40))
    )
    shares = []
    for share in ("train", "test"):  # the whole of so short a book is in one of them
        options = ["--share", share, "--book", str(book), "--book-sentences", "6", "--sentences", "4"]
        shares.append((main(["stories", *options]), *capsys.readouterr()))
    (worked,) = [out for status, out, _ in shares if status == 0]
    assert worked.count("It was a long day in chapter") == 6
    (refused,) = [err for status, _, err in shares if status == 2]
    assert "no noise in the" in refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "riddles"], "unknown kind 'riddles' of stories; known: one-fact, two-facts"),
        (["--share", "all"], "unknown share 'all' of the words; known: train, test"),
        (["--book", "python"], "--book and --book-sentences belong together; give both, or neither"),
        (["--out", "."], "already exists; choose another file, or delete it first"),
        (
            ["--out", "facts.csv"],
            "facts.csv is for stories, and their facts need a .csv file",
        ),
        (["--seed", "-1"], "seed -1; give 0 or more"),
    ],
)
def test_what_cannot_be_made_is_one_line(options, message, capsys):
    assert main(["stories", *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
