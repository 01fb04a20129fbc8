"""The README's commands and code, run as they stand."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lm2viz.cli.main import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    """The fenced block after ``<!-- name -->``."""
    match = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert match, f"no block {name}"
    return match[1]


def run_in_shell(line: str) -> str:
    """With the ``lm2`` of this environment first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_command_of_the_readme_does_what_it_says(tmp_path, monkeypatch, capsys):
    """One line after the other in an empty folder; the first ``lm2`` as a process, later ones without it."""
    monkeypatch.chdir(tmp_path)
    lines = block("commands").replace("\\\n", " ").splitlines()
    out = run_in_shell(lines[0])
    for line in lines[1:]:
        words = shlex.split(line, comments=True)
        if words[:1] == ["lm2"] and not {"|", ">", "&&"} & set(words):
            assert main(words[1:]) == 0, line
        else:
            out += run_in_shell(line)
    out += capsys.readouterr().out
    assert "babi-qa1-3: 4 blocks, width 64, 24 slots" in out
    assert "\noffice\n" in out
    assert (tmp_path / "stories" / "qa2.json").is_file()
    assert (tmp_path / "stories" / "mine.safetensors").is_file()
    assert (tmp_path / "stories" / "run" / "model.safetensors").is_file()
    assert (tmp_path / "stories" / "own" / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.py").write_text(block("python"))
    runpy.run_path("readme.py")
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "(24, 64)"
    assert out.splitlines()[-1] == "kitchen"


def test_the_first_screen_has_two_commands_a_picture_and_what_to_expect():
    first_screen = README[: README.index("## ")]
    assert block("start").count("\n") == block("test").count("\n") == 1
    assert "lm2 app" in block("start")
    assert "pytest" in block("test")
    picture = re.search(r"!\[.+\]\((.+)\)", first_screen)
    assert (ROOT / picture[1]).is_file()
    assert "**What you will see.**" in first_screen


def test_it_fits_a_few_screens_and_names_the_three_questions():
    assert README.count("\n") <= 130
    for question in ("What is stored?", "Who put it there?", "Does it matter?"):
        assert question in README
