"""Background text: plain sentences, in order, in shares that do not touch."""

import json
import re
from itertools import pairwise
from random import Random

import pytest

from lm2core.babilong.background_text import MIN_TOKENS, PYTHON, Noise, open_noise, prose

LONG = "and so it went on and on until the very end of the day"  # lower case: a rest, no sentence


def sentence(number: int) -> str:
    return f"Sentence number {number} goes on for quite a few more words."


@pytest.fixture(scope="module")
def shares() -> dict[str, Noise]:
    return {split: open_noise(split=split) for split in ("train", "test")}


def test_no_sentence_of_python_s_documentation_is_in_both_shares_or_twice_in_one(shares):
    train, test = (shares[split].sentences for split in ("train", "test"))
    assert not set(train) & set(test)
    assert len(set(train)) == len(train) > 500
    assert len(set(test)) == len(test) > 500


def test_python_s_documentation_is_prose_without_markup(shares):
    for text in (*shares["train"].sentences, *shares["test"].sentences):
        assert len(re.findall(r"\w+|[^\w\s]", text)) >= MIN_TOKENS
        assert text[0].isupper() or not text[0].isalnum()
        assert text.rstrip("\"')]”’")[-1] in ".!?"
        assert not any(mark in text for mark in ("::=", ">>>", "***", "===", "----", "\n", "|  "))


def test_the_shares_are_the_same_every_time(shares):
    assert open_noise(PYTHON, split="test") == shares["test"]


def test_sentences_are_told_from_headings_code_tables_and_rests():
    text = f"""A heading
*********

The e.g. and i.e. of Mr. Smith do not end a sentence that
has a well-
known hyphen. Is this one, with its question mark, a sentence as well? {LONG}.

   x[0] = {{"a": [1, 2]}}; y(*z) <- [w for w in (u + v) / 2] | None.

| a | b |

Too short. "And this one, in quotation marks, is quite long enough!" {LONG.capitalize()}
"""
    assert list(prose(text)) == [
        "The e.g. and i.e. of Mr. Smith do not end a sentence that has a well-known hyphen.",
        f"Is this one, with its question mark, a sentence as well? {LONG}.",
        '"And this one, in quotation marks, is quite long enough!"',
    ]


def test_the_least_length_counts_words_and_marks():
    words = " word" * (MIN_TOKENS - 2)
    assert list(prose(f"A{words}.")) == [f"A{words}."]
    assert list(prose(f"A{words[5:]}.")) == []


def write_rows(path, numbers) -> str:
    rows = (json.dumps({"text": f"{sentence(2 * i)} {sentence(2 * i + 1)}"}) for i in numbers)
    path.write_text("\n".join(rows))
    return str(path)


def test_a_document_is_in_one_share_whatever_else_the_text_holds(tmp_path):
    few = write_rows(tmp_path / "few.jsonl", range(20, 30))
    many = write_rows(tmp_path / "many.jsonl", range(60))
    for split in ("train", "test"):
        here = open_noise(few, split=split).sentences
        there = open_noise(many, split=split).sentences
        assert len(here) % 2 == 0
        assert [s for s in there if s in here] == list(here)
    both = [open_noise(many, split=split).sentences for split in ("train", "test")]
    assert sorted((*both[0], *both[1])) == sorted(sentence(i) for i in range(120))


def test_a_sentence_of_two_documents_is_in_the_share_of_the_first(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"text": f"Document {i} begins.\n\n{sentence(0)}"}) for i in range(12))
    )
    result = []
    for split in ("train", "test"):
        try:
            result += open_noise(str(tmp_path), split=split).sentences
        except ValueError as error:
            assert "no noise in the" in str(error)
    assert result == [sentence(0)]


def test_no_more_is_read_than_is_wanted(tmp_path):
    source = write_rows(tmp_path / "many.jsonl", range(200))
    some = open_noise(source, split="train", most_chars=1_000)
    assert 1_000 <= sum(map(len, some.sentences)) < 1_200
    assert list(some.sentences) == list(open_noise(source, split="train").sentences[: len(some.sentences)])


def test_from_anywhere_gives_every_sentence_once_in_order_from_a_random_one():
    noise = Noise("here", "test", [sentence(i) for i in range(7)])
    starts = set()
    for seed in range(50):
        numbers = [int(text.split()[2]) for text in noise.from_anywhere(Random(seed))]
        assert all(b == (a + 1) % 7 for a, b in pairwise(numbers))
        assert len(numbers) == 7
        starts.add(numbers[0])
    assert starts == set(range(7))


@pytest.mark.parametrize(
    ("source", "split", "error"),
    [
        (PYTHON, "dev", "unknown split 'dev' of the noise; known: train, test"),
        ("none.txt", "test", "no text at 'none.txt'; give a file, or a folder"),
        (
            "short.txt",
            "train",
            "no noise in the train share of .*short.txt: none of its 1 documents .*; give",
        ),
    ],
)
def test_what_is_no_noise_is_said(source, split, error, tmp_path):
    (tmp_path / "short.txt").write_text("Too short.\n")
    path = tmp_path / source
    with pytest.raises(ValueError, match=error):
        open_noise(str(path) if path.exists() else source, split=split)
