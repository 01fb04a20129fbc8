"""The bAbI file format: what is written reads back, and a broken file is refused with its line."""

import re
from random import Random

import pytest

from lm2core.babi.tasks import TASKS, make_story
from lm2core.babi.text import read_babi, read_sentences, write_babi


@pytest.mark.parametrize("task", TASKS)
def test_a_written_file_reads_back_as_the_same_stories(task, tmp_path):
    stories = [make_story(task, Random(i)) for i in range(7)]
    write_babi(tmp_path / "f.txt", stories)
    for written, read in zip(stories, read_babi(tmp_path / "f.txt"), strict=True):
        assert (written.sentences, written.questions, written.gap) == (
            read.sentences,
            read.questions,
            read.gap,
        )


GOOD = "1 Mary went to the office.\n2 Where is Mary? \toffice\t1\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (GOOD + "John went home.\n", "line 3: expected 'NUMBER text', got 'John went home.'"),
        (GOOD + "3 Where is Mary?\n", "line 3: a question needs TAB answer TAB support"),
        (GOOD + "3 Where is Mary? \t\t1\n", "line 3: a question needs a text and an answer"),
        (GOOD + "3 Where is Mary? \toffice\t7\n", "line 3: supporting line 7 is not an earlier sentence"),
        (GOOD + "3 Where is Mary? \toffice\t2\n", "line 3: supporting line 2 is not an earlier sentence"),
        (GOOD + "3 Where is Mary? \toffice\tone\n", "line 3: supporting line one is not an earlier sentence"),
        ("1 Mary went to the office.\n", "has no questions; a bAbI file has lines"),
        ("", "has no questions; a bAbI file has lines"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(text, error, tmp_path):
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"broken.txt.*{re.escape(error)}"):
        read_babi(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"1 \xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        read_babi(tmp_path / "b.txt")


def test_an_empty_story_file_is_refused(tmp_path):
    (tmp_path / "s.txt").write_text("\n  \n")
    with pytest.raises(ValueError, match="the story is empty; write one sentence per line"):
        read_sentences(tmp_path / "s.txt")
