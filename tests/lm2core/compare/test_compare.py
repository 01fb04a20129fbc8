"""A whole comparison, small: what it leaves, what a kill costs, who works on what, what the table says."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from statistics import fmean

import pytest
from filelock import FileLock

from lm2core.cli.main import main
from lm2core.compare import bank_change as bank_changes
from lm2core.compare.bank_change import bank_change
from lm2core.compare.markdown import as_markdown
from lm2core.compare.plan import PRESETS, make_plan
from lm2core.compare.table import make_table
from lm2core.compare.work import compare, duration, seconds_left, write_table
from lm2core.reading.checkpoints import load
from tests.conftest import ROOT
from tests.lm2core.compare.presets import TINY

PLAN = make_plan(TINY)
LONG = replace(
    TINY, recipe=replace(TINY.recipe, n_steps=10), architectures=("lm2",)
)  # long enough to be killed on the way


@pytest.fixture(scope="module", autouse=True)
def few_banks():
    """The change of the bank has tests of its own; here it may be that of few sentences."""
    with pytest.MonkeyPatch.context() as patch:
        for name, n in (("N_STORIES", 4), ("N_CONTEXT_SENTENCES", 3), ("N_MEASURED", 2)):
            patch.setattr(bank_changes, name, n)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a comparison with all its runs, and what it said."""
    out, messages = tmp_path_factory.mktemp("compare") / "tiny", []
    compare(PLAN, out, say=messages.append)
    return out, messages


@pytest.fixture
def results_only(finished, tmp_path):
    """The same without runs and weights: what can be kept."""
    shutil.copytree(finished[0] / "results", tmp_path / "results")
    return tmp_path


def result(out, name: str):
    return json.loads((out / "results" / f"{name}.json").read_text())


def entry(table, group: str, label: str, length: int, noise: int = 0):
    expected = (group, label, length, noise)
    (outcome,) = (
        x for x in table["accuracy"] if (x["group"], x["label"], x["length"], x["noise"]) == expected
    )
    return outcome


def test_every_figure_of_the_table_is_the_mean_of_the_results(finished):
    out, _ = finished
    table = json.loads((out / "table.json").read_text())
    assert (table["missing"], table["n_runs"]) == ([], 18)
    names = {
        ("main", "lm2"): "lm2",
        ("main", "llama-window"): "llama-window",
        ("layers", "the first 1 of 4 blocks"): "lm2-blocks-1",
        ("layers", "all 4 blocks"): "lm2",
        ("slots", "5 slots"): "lm2-slots-5",
    }
    for (group, label), name in names.items():
        for i, (length, noise) in enumerate([(4, 0), (9, 0), (8, 3)]):
            scores = [result(out, f"{name}-seed{s}")["measured"]["scores"][i] for s in (0, 1)]
            assert [(x["length"], x["noise"], x["n"]) for x in scores] == [(length, noise, 6)] * 2
            outcome = entry(table, group, label, length, noise)
            assert outcome["mean"] == fmean(x["accuracy"] for x in scores)
            assert outcome["low"] <= outcome["mean"] <= outcome["high"]
            assert (outcome["majority"], outcome["n_seeds"]) == (scores[0]["majority"], 2)
    perplexity = {x["label"]: x for x in table["perplexity"]}
    measured = [result(out, f"text-lm2-seed{s}")["measured"] for s in (0, 1)]
    assert perplexity["lm2"]["mean"] == fmean(m["perplexity"] for m in measured)
    other = [result(out, f"text-llama-window-seed{s}")["measured"] for s in (0, 1)]
    assert perplexity["llama-window"]["lm2_against"]["difference"] == pytest.approx(
        fmean(a["loss"] - b["loss"] for a, b in zip(measured, other, strict=True))
    )
    changes = [result(out, f"lm2-seed{s}")["measured"]["bank_change"]["untrained"] for s in (0, 1)]
    assert len(table["bank_change"]) == len(changes[0]) == 3 * 4
    assert table["bank_change"][5]["untrained"]["mean"] == fmean(c[5]["change_per_token"] for c in changes)


def test_a_result_is_that_of_the_model_that_was_trained(finished):
    lm = load(str(finished[0] / "runs" / "lm2-seed1"))
    measured = result(finished[0], "lm2-seed1")["measured"]
    assert measured["scores"] == [test.score(lm) for test in PLAN.runs(["main"])[2].tests]
    assert measured["bank_change"]["trained"] == bank_change(lm, "qa1")
    assert measured["bank_change"]["untrained"] != measured["bank_change"]["trained"]


def test_the_markdown_says_what_the_json_says(finished):
    out, _ = finished
    table, text = json.loads((out / "table.json").read_text()), (out / "table.md").read_text()
    assert "Runs finished: 18 of 18." in text
    (row,) = (line for line in text.splitlines() if line.startswith("| 5 slots |") and line.count("|") == 4)
    short, long = (entry(table, "slots", "5 slots", n) for n in (4, 9))
    assert [cell.split(" (")[0].strip() for cell in row.split("|")[2:4]] == [
        f"{short['mean']:.1%}",
        f"{long['mean']:.1%}",
    ]
    for part in (
        "floor: majority answer",
        "untrained: LM2",
        "LM2 minus Llama, same window",
        "gives 48.4 for RMT at 4K",
    ):
        assert part in text


def test_baselines_have_as_many_parameters(finished):
    training = json.loads((finished[0] / "table.json").read_text())["training"]
    for group in ("main", "text"):
        lm2, other = (x["n_parameters"] for x in training if x["group"] == group)
        assert other == pytest.approx(lm2, rel=2e-3)


def test_progress_names_each_run_and_what_is_left(finished):
    messages = finished[1]
    assert messages[0].startswith("[1 of 18] rate-0.004-lm2-seed2; remaining: about ")
    assert messages[1].startswith("[1 of 18] rate-0.004-lm2-seed2 done in ")
    assert len(messages) == 36


def test_what_is_finished_is_not_done_again(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "again")
    messages = []
    compare(PLAN, tmp_path / "again", say=messages.append)
    assert messages == []


def test_the_table_needs_the_results_alone(results_only, finished):
    assert write_table(PLAN, results_only) == make_table(PLAN, read(finished[0]))
    assert (results_only / "table.md").read_text() == (finished[0] / "table.md").read_text()


def read(out):
    return {f.stem: json.loads(f.read_text()) for f in (out / "results").glob("*.json")}


def test_an_unfinished_comparison_says_what_is_missing(results_only):
    for name in ("lm2-seed1", "lm2-slots-5-seed0", "lm2-slots-5-seed1", "text-lm2-seed0", "text-lm2-seed1"):
        (results_only / "results" / f"{name}.json").unlink()
    table = write_table(PLAN, results_only)
    assert table["missing"][:2] == ["lm2-seed1", "text-lm2-seed0"]
    lm2 = entry(table, "main", "lm2", 9)
    assert (lm2["n_seeds"], lm2["low"], lm2["mean"]) == (1, None, lm2["by_seed"][0])
    assert {x["verdict"] for x in table["lm2_against"]} == {"not decided"}
    text = (results_only / "table.md").read_text()
    assert "Runs finished: 13 of 18. Missing: lm2-seed1, text-lm2-seed0, " in text
    assert f"{lm2['mean']:.1%} (1 of 2)" in text
    bank_change = text.split("## What the memory does at test time")[1].split("## ")[0]
    assert bank_change.count("(1 of 2)") == 2 * len(table["bank_change"]) > 0
    assert "How many slots" not in text


def test_a_comparison_without_any_result_has_a_table_too():
    assert "Runs finished: 0 of 18." in as_markdown(make_table(PLAN, {}))


def with_accuracies(out, lm2: float, other: float):
    """The results, as if all models of LM2 and of the other had these accuracies on 200 questions."""
    results = read(out)
    for run in PLAN.runs(["race", "main"]):
        value = lm2 if run.recipe.architecture == "lm2" else other
        for score in results[run.name]["measured"]["scores"]:
            score |= {"accuracy": value, "n": 200}
    return make_table(PLAN, results)


@pytest.mark.parametrize(
    ("lm2", "other", "verdict"), [(0.9, 0.2, "LM2 wins"), (0.2, 0.9, "LM2 loses"), (0.5, 0.45, "not decided")]
)
def test_the_table_says_where_lm2_does_not_win(finished, lm2, other, verdict):
    table = with_accuracies(finished[0], lm2, other)
    assert {x["verdict"] for x in table["lm2_against"]} == {verdict}
    text = as_markdown(table)
    if verdict == "LM2 wins":
        assert "(0 of 6 comparisons):\nnowhere." in text
    else:
        assert (
            f"against race: Llama, same window: {verdict} at qa1 4 sentences; qa1 9 sentences; qa1 8" in text
        )


def start(preset: str, out) -> subprocess.Popen:
    """A comparison of seed 0 in a process of its own."""
    code = (
        "import sys; from lm2core.compare.plan import make_plan; from lm2core.compare.work import compare; "
        f"from tests.lm2core.compare.test_compare import {preset}; "
        f"compare(make_plan({preset}, n_seeds=1), sys.argv[1], groups=['main'])"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=ROOT, stderr=subprocess.DEVNULL)


def test_a_killed_comparison_goes_on_and_ends_as_a_straight_one(tmp_path):
    plan, killed = make_plan(LONG, n_seeds=1), tmp_path / "killed"
    process = start("LONG", killed)
    until = time.monotonic() + 60
    while not (killed / "runs" / "lm2-seed0" / "checkpoint-3" / "curriculum.json").is_file():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "results" / "lm2-seed0.json").exists()
    for out in (killed, tmp_path / "straight"):
        compare(plan, out, groups=["main"])
    one, other = (result(out, "lm2-seed0") for out in (killed, tmp_path / "straight"))
    assert (one["is_resumed"], other["is_resumed"]) == (True, False)
    assert one["measured"] == other["measured"]
    steps = [
        json.loads(x)["step"] for x in (killed / "runs/lm2-seed0/metrics.jsonl").read_text().splitlines()
    ]
    assert steps == list(range(1, 11))


@pytest.mark.parametrize("left", ["trained", "begun"])
def test_a_run_killed_between_its_files_is_finished(finished, tmp_path, left):
    out = tmp_path / "out"
    shutil.copytree(finished[0], out)
    (out / "results" / "lm2-seed0.json").unlink()
    run = out / "runs" / "lm2-seed0"
    if left == "begun":  # before its first checkpoint
        for folder in run.glob("checkpoint-*"):
            shutil.rmtree(folder)
        (run / "model.safetensors").unlink()
    messages = []
    compare(PLAN, out, say=messages.append)
    assert len(messages) == 2
    assert result(out, "lm2-seed0")["measured"] == result(finished[0], "lm2-seed0")["measured"]


def test_a_run_that_another_process_is_at_is_passed_over(tmp_path):
    plan, messages = make_plan(TINY, n_seeds=1), []
    (tmp_path / "out" / "runs").mkdir(parents=True)
    (tmp_path / "out" / "plan.json").write_text('{"plan": "tiny"}')
    with FileLock(tmp_path / "out" / "runs" / "lm2-seed0.lock"):
        compare(plan, tmp_path / "out", groups=["main"], say=messages.append)
    assert messages[0] == "[1 of 2] lm2-seed0: another process is working on it"
    assert [f.stem for f in (tmp_path / "out" / "results").iterdir()] == ["llama-window-seed0"]


def test_a_run_is_gone_on_with_only_in_its_length(finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished[0], out)
    shutil.rmtree(out / "results")
    with pytest.raises(
        ValueError, match="run rate-0.004-lm2-seed2: .* was started with n_steps=3, not 4; use the original"
    ):
        compare(make_plan(TINY, n_steps=4), out)


def test_time_left_is_that_of_finished_runs_of_a_kind():
    runs = {run.name: run for run in PLAN.runs(["main"])}
    lm2, window = runs["lm2-seed1"].expected_s, runs["llama-window-seed1"].expected_s
    guess = seconds_left(runs.values(), {})
    assert guess == pytest.approx(2 * lm2 + 2 * window)
    done = {
        "lm2-seed0": {"wall_s": 3 * lm2, "is_resumed": False},
        "llama-window-seed0": {"wall_s": 5 * window, "is_resumed": False},
    }
    assert seconds_left(runs.values(), done) == pytest.approx(3 * lm2 + 5 * window)
    done["llama-window-seed0"]["is_resumed"] = True  # tells nothing
    assert seconds_left(runs.values(), done) == pytest.approx(3 * lm2 + 3 * window)
    assert [duration(s) for s in (40, 719, 11_100)] == ["40 s", "12 min", "3 h 05 min"]


def test_the_command_goes_on_with_what_is_there_and_says_what_is_missing(
    results_only, capsys, monkeypatch, finished
):
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    (results_only / "results" / "lm2-seed1.json").unlink()
    assert main(["compare", "--preset", "tiny", "--out", str(results_only), "--table"]) == 0
    assert capsys.readouterr().out == f"{results_only / 'table.md'}: 1 of 18 runs missing\n"
    assert main(["compare", "--preset", "tiny", "--out", str(finished[0]), "--only", "main"]) == 0
    assert capsys.readouterr().out == f"{finished[0] / 'table.md'}: all 18 runs\n"
