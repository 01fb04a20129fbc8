"""``lm2 train --stories``: from a file of English stories to a model that other commands open."""

import re

import pytest

from lm2core.babi.text import read_babi
from lm2core.cli.main import main
from lm2core.evaluation.stories import predict, score
from lm2core.reading.checkpoints import load


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "english.txt"
    main(["stories", "--kind", "yes-no", "--stories", "20", "--sentences", "4", "--out", str(path)])
    return path


def test_the_last_line_has_the_accuracy_on_held_out_stories_and_the_next_command(file, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "--stories", str(file), "--out", str(out), "--steps", "1", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    stories = read_babi(out / "held_out" / "english.txt")
    result = score(stories, predict(load(str(out)), stories))
    assert f"right answers to {result.n} questions about 2 held-out stories: {result.accuracy:.1%} (" in said
    assert f"95 % interval {result.low:.1%} to {result.high:.1%}; always the most common answer: " in said
    command = re.search(r"next: lm2 (eval .*)\*\.txt$", said.strip())
    assert main([*command[1].split()[:-1], str(out / "held_out" / "english.txt")]) == 0
    assert f"{result.accuracy:.1%}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "."], "preset 'text-tiny' trains on text and has no --stories; omit it"),
        (["--tasks", "qa1"], "bring their own tasks and have no noise; omit --tasks and --noise"),
        (["--preset", "babilong-tiny"], "bring their own tasks and have no noise; omit --tasks and --noise"),
        (["--stage-steps", "1,1,1,1,1"], "stage_steps=1,1,1,1,1 does not fit"),
    ],
)
def test_options_that_do_not_fit_are_one_line_and_leave_no_folder(file, tmp_path, options, message, capsys):
    out = tmp_path / "run"
    assert main(["train", "--stories", str(file), "--out", str(out), *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not out.exists()
