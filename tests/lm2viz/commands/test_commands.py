"""Analyses as a user types them: exit status, what is said, what is written, one-line errors."""

import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest

from lm2core.story_traces import TraceFolder
from lm2core.trace import Trace
from lm2viz.cli import main

MODEL = "babi-qa1-3"


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces") / "qa1"
    options = [
        "--task",
        "qa1",
        "--stories",
        "7",
        "--seed",
        "3",
        "--budget",
        "6MB",
        "--hooks",
        "mem.*,hook_bank",
    ]
    assert main(["trace", MODEL, "--out", str(folder), *options]) == 0
    return folder


def test_help_names_the_analyses_in_under_a_second_without_torch():
    code = "import sys; from lm2viz.cli import main; main(['--help']); print('torch' in sys.modules)"
    start = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert time.perf_counter() - start < 1
    assert out.rstrip().endswith("False")
    assert "Look into a memory" in out
    assert " effect " in out


def test_traces_of_many_stories_come_in_parts_with_facts(traces):
    parts = TraceFolder(traces)
    assert len(parts) > 1
    assert sum(len(part.tokens) for part in parts) == 7
    assert parts[0].info["stories"][0]["facts"]


def test_a_babi_file_is_traced_with_its_questions(tmp_path):
    assert main(["babi", "--task", "qa1", "--stories", "3", "--out", str(tmp_path)]) == 0
    out = tmp_path / "traces"
    assert main(["trace", MODEL, "--babi", str(tmp_path / "qa1_generated.txt"), "--out", str(out)]) == 0
    (part,) = TraceFolder(out)
    assert [len(story["questions"]) for story in part.info["stories"]] == [5, 5, 5]


def test_report_writes_one_page_without_a_network(traces, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["report", str(traces / "part-00000.safetensors"), "--out", str(page), "--story", "1"]) == 0
    text = page.read_text()
    assert Trace.load(traces / "part-00000.safetensors").tokens[1][0][0] in text
    assert 'src="http' not in text
    assert capsys.readouterr().out == f"{page}: 3 pictures\n"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="images need chromium; apt-get install chromium")
def test_effect_says_the_change_beside_its_placebos_and_writes_them(tmp_path, capsys):
    edits = tmp_path / "edits.json"
    edits.write_text('[{"kind": "clamp_gate", "gate": "out", "value": 0}]')
    options = ["--edits", str(edits), "--stories", "6", "--out", str(tmp_path / "out"), "--image", "svg"]
    assert main(["effect", MODEL, *options]) == 0
    said = capsys.readouterr().out
    assert "clamp_gate in babi-qa1-3: 6 stories" in said
    assert "placebo: other slots: not possible here" in said
    table = pd.read_csv(tmp_path / "out" / "effect.csv")
    accuracy = table[(table["variant"] == "intervention") & (table["measure"] == "accuracy")]
    assert accuracy["change"].item() < -0.5
    assert "<figure>" in (tmp_path / "out" / "effect.html").read_text()
    assert "random vector" in (tmp_path / "out" / "effect.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trace", MODEL, "--out", "x"], "give one of --story FILE, --babi FILE and --task NAME"),
        (["trace", MODEL, "--out", "x", "--task", "qa1", "--babi", "y"], "give one of"),
        (["trace", MODEL, "--out", "x", "--task", "qa99"], "unknown task 'qa99'"),
        (["report", "no.safetensors", "--out", "x.html"], "no trace file at no.safetensors; make one with"),
        (["effect", MODEL], "give one of --edits FILE and --zero SLOTS"),
        (["effect", MODEL, "--zero", "a"], "--zero a; give slot numbers by commas"),
        (["effect", MODEL, "--zero", "24", "--stories", "2"], "zero: no slot 24; this model has 0..23"),
        (["effect", MODEL, "--edits", "no.json"], "cannot read no.json"),
        (["effect", MODEL, "--zero", "1", "--stories", "2", "--image", "png"], "and a folder with --out"),
        (["effect", MODEL, "--zero", "1", "--stories", "2", "--image", "gif"], "give png or svg"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("lm2: ")
    assert message.count("\n") == 1
    assert said in message
