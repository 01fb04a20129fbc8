"""Traces of many stories, and what is made of them without their model."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lm2core.traces.folder import TraceFolder
from lm2core.traces.trace import Trace
from lm2viz.cli.main import main

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


def test_analyses_of_traces_do_not_wait_for_torch(traces):
    code = f"import sys; from lm2viz.cli.main import main; main(['stats', {str(traces)!r}]); "
    code += "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Gates over")
    assert done.stdout.splitlines()[-1] == "[]"


def test_report_writes_one_page_without_a_network(traces, tmp_path, capsys):
    page, parts = tmp_path / "page.html", tmp_path / "parts"
    options = ["--out", str(page), "--story", "1", "--parts", str(parts)]
    assert main(["report", str(traces / "part-00000.safetensors"), *options]) == 0
    text = page.read_text()
    assert Trace.load(traces / "part-00000.safetensors").tokens[1][0][0] in text
    assert 'src="http' not in text
    names = re.findall(r'<figure id="([^"]+)"', text)
    assert len(names) > 10
    assert {path.name for path in parts.iterdir()} == {f"{name}.csv" for name in names}
    written = pd.read_csv(parts / "written.csv", index_col=0)
    gates = Trace.load(traces / "part-00000.safetensors").over_blocks("hook_gate_in", story=1, segment=0)
    np.testing.assert_allclose(written.iloc[0], gates.mean(axis=(0, -1)), atol=1e-6)
    assert capsys.readouterr().out.startswith(f"{page}: {len(names)} pictures\n")


def test_probe_of_traces_takes_labels_of_one_s_own(traces, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    lines = [f"{b},{s},half,{'first' if s < 5 else 'second'}" for b in range(7) for s in range(10)]
    labels.write_text("\n".join(["story,segment,fact,value", *lines]))
    assert main(["probe", str(traces), "--labels", str(labels)]) == 2
    assert "half: " in capsys.readouterr().err  # seven stories are too few for five folds, and it says so


def test_traces_have_no_untrained_model_beside_them_and_that_is_said(traces, capsys):
    assert main(["stats", str(traces)]) == 0
    expected = capsys.readouterr()
    assert expected.err == f"{traces}: no untrained model beside traces; give the checkpoint for it\n"
    assert "untrained" not in expected.out


def test_look_asks_no_question_of_traces_without_their_model(traces, capsys):
    assert main(["stats", str(traces), "--ask", "Where is Mary?"]) == 2
    assert "--ask needs a model to ask; give a checkpoint" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_a_bank_that_is_not_finite_is_told_in_one_line(traces, tmp_path, capsys):
    trace = Trace.load(traces / "part-00000.safetensors")
    banks = trace.arrays["hook_bank"].copy()
    banks[0, 3] = np.nan
    replace(trace, arrays={**trace.arrays, "hook_bank": banks}).save(tmp_path / "nan.safetensors")
    main(["probe", str(tmp_path / "nan.safetensors")])  # too few stories for a probe
    expected = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("lm2:"))
    assert expected.startswith("lm2: 1 of ")
    assert expected.endswith("left out because they are not finite; the first is of story 0, sentence 3")
