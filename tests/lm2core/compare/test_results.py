"""Result files that are not ours, not whole, or not of this comparison are told in one line."""

import json

import pytest

from lm2core.cli.main import main
from lm2core.compare.plan import PRESETS, make_plan
from lm2core.compare.results import read_results, save_result
from lm2core.compare.work import compare
from tests.lm2core.compare.presets import TINY

PLAN = make_plan(TINY)
FIGURES = {"n_parameters": 5, "wall_s": 1.0, "is_resumed": False, "measured": {}}


@pytest.fixture
def out(tmp_path):
    """A folder with one result in it."""
    save_result(tmp_path, PLAN, PLAN.runs(["main"])[0], **FIGURES)
    return tmp_path


def test_a_result_is_read_as_it_was_saved(out):
    (result,) = read_results(out, PLAN).values()
    assert FIGURES.items() <= result.items()
    assert result["run"] == "lm2-seed0"
    assert result["settings"]["memory_slots"] == 7


def changed(out, **changes) -> None:
    file = out / "results" / "lm2-seed0.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("text", ["", '{"schema": 1, "pl', "\udcff"], ids=["empty", "half", "not text"])
def test_a_broken_file_is_named(out, text):
    (out / "results" / "lm2-seed0.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match="lm2-seed0.json is damaged .*; delete it to repeat its run"):
        read_results(out, PLAN)


@pytest.mark.parametrize("text", ["[1, 2]", "3", '{"task": "qa1", "accuracy": 1.0}'])
def test_another_kind_of_file_is_named(out, text):
    (out / "results" / "eval.json").write_text(text)
    with pytest.raises(
        ValueError, match="eval.json is not a result of a comparison: it has no is_resumed, key"
    ):
        read_results(out, PLAN)


def test_a_result_of_another_plan_or_run_is_named(out):
    changed(out, plan="babi-mini")
    with pytest.raises(ValueError, match="is the result of run 'lm2-seed0' of plan 'babi-mini'"):
        read_results(out, PLAN)
    changed(out, plan="tiny", run="lm2-seed1")
    with pytest.raises(ValueError, match="is the result of run 'lm2-seed1' .*not of 'lm2-seed0'"):
        read_results(out, PLAN)


def test_a_result_with_other_settings_is_named_with_them(out):
    with pytest.raises(
        ValueError, match="lm2-seed0.json was made with n_steps=3, now 4; use the original settings"
    ):
        read_results(out, make_plan(TINY, n_steps=4))


def test_results_of_more_seeds_are_left_alone(out):
    save_result(out, PLAN, PLAN.runs(["main"])[2], **FIGURES)
    assert list(read_results(out, PLAN)) == ["lm2-seed0", "lm2-seed1"]
    assert list(read_results(out, make_plan(TINY, n_seeds=1))) == ["lm2-seed0"]


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(ValueError, match="is not empty and is not a comparison; choose another --out"):
        compare(PLAN, tmp_path)
    (tmp_path / "plan.json").write_text('{"plan": "babi-mini"}')
    with pytest.raises(ValueError, match="holds the comparison 'babi-mini', not 'tiny'"):
        compare(PLAN, tmp_path)
    (tmp_path / "plan.json").write_text("[")
    with pytest.raises(ValueError, match="plan.json does not name a comparison"):
        compare(PLAN, tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["plan.json", "runs"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "nope"], "unknown comparison preset 'nope'; known: babi-mini, smoke"),
        (["--preset", "smoke", "--only", "main,more"], "unknown group more; known: rates, race, main"),
        (["--preset", "smoke", "--table"], "is not a comparison: it has no folder results"),
        (["--preset", "smoke", "--seeds", "0"], "greater than or equal to 1"),
    ],
)
def test_bad_options_are_one_line_and_leave_no_folder(options, message, tmp_path, capsys):
    assert main(["compare", "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_interrupted_command_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setitem(PRESETS, "tiny", TINY)
    monkeypatch.setattr("lm2core.compare.work.train_run", interrupted)
    assert main(["compare", "--preset", "tiny", "--out", str(tmp_path / "out")]) == 130
    assert (
        capsys.readouterr().err
        == "lm2: interrupted; repeat the command to resume from the newest checkpoint\n"
    )
