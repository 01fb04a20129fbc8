"""How many examples occur in two lists of stories."""

from random import Random

import pytest

from lm2core.babi.duplicates import count_duplicates
from lm2core.babi.story import Question
from lm2core.babi.tasks import make_story
from lm2core.babi.text import TextStory
from lm2core.cli.main import main

SENTENCES = ("Mary went to the office.", "John went to the garden.")


def ask(text, n_statements):
    return Question(text, "office", (0,), n_statements)


def test_an_example_is_all_sentences_before_a_question_and_the_question():
    known = [TextStory(SENTENCES, (ask("Where is Mary?", 1), ask("Where is John?", 2)))]
    assert count_duplicates(known, known) == 2
    assert count_duplicates([TextStory(SENTENCES[:1], (ask("Where is Mary?", 1),))], known) == 1
    assert count_duplicates([TextStory(SENTENCES, (ask("Where is Mary?", 2),))], known) == 0
    assert count_duplicates([TextStory(SENTENCES[::-1], (ask("Where is John?", 2),))], known) == 0


def test_every_repetition_counts():
    story = TextStory(SENTENCES, (ask("Where is Mary?", 1),) * 3)
    assert count_duplicates([story, story], [story]) == 6


@pytest.mark.parametrize(("task", "low", "high"), [("qa4", 100, 400), ("qa2", 0, 0)])
def test_two_seeds_share_many_examples_of_task_4_and_none_of_task_2(task, low, high):
    first, second = (
        [make_story(task, rng) for _ in range(1000 if task == "qa4" else 100)]
        for rng in (Random(1), Random(2))
    )
    assert low <= count_duplicates(first, second) <= high


def test_babi_counts_examples_that_occur_in_another_file(tmp_path, capsys):
    options = ["babi", "--task", "qa4", "--stories", "200", "--out"]
    assert main([*options, str(tmp_path / "a"), "--seed", "7"]) == 0
    other = tmp_path / "a" / "qa4_generated.txt"
    assert main([*options, str(tmp_path / "b"), "--seed", "7", "--against", str(other)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"200 of 200 examples also occur in {other}"


def test_against_a_file_that_is_no_babi_file_is_refused_and_nothing_written(tmp_path, capsys):
    (tmp_path / "x.txt").write_text("no numbers here\n")
    options = ["--task", "qa4", "--out", str(tmp_path / "b"), "--against", str(tmp_path / "x.txt")]
    assert main(["babi", *options]) == 2
    assert "x.txt, line 1: expected 'NUMBER text'" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("n", range(1, 21))
def test_babi_writes_every_task(n, tmp_path):
    assert main(["babi", "--task", f"qa{n}", "--stories", "2", "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"qa{n}_generated.txt").read_text().startswith("1 ")
