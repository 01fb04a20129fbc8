"""What the operator of a server switches off or limits is refused by the page and behind it."""

import pytest

from app.loaders import training
from app.loaders.runs import bytes_used, run_names
from lm2core.errors import UserError
from tests.app.pages import open_page
from tests.app.train.training_runs import ME, OPERATOR, kept_run, messages, press


def with_checkpoint(run):
    (run.folder / "checkpoint-250").mkdir()
    (run.folder / "checkpoint-250" / "curriculum.json").write_text("{}")
    return run


def test_a_server_without_training_says_who_switched_it_off_and_starts_nothing(sleeping, monkeypatch):
    monkeypatch.setenv("LM2_TRAINING", "off")
    page = open_page("train")
    assert messages(page) == "Training is switched off on this server: its operator set LM2_TRAINING=off."
    assert not page.button
    with pytest.raises(UserError, match="Training is switched off"):
        training.start_run("a", ["qa1"], 10, 0, ME)
    assert sleeping == []


def test_without_training_earlier_runs_are_shown_and_none_is_resumed(sleeping, runs, monkeypatch):
    monkeypatch.setenv("LM2_TRAINING", "off")
    with_checkpoint(kept_run(runs, was_stopped=True))
    page = open_page("train")
    assert page.selectbox(key="run").value == "old"
    assert "Resume" not in {button.label for button in page.button}
    with pytest.raises(UserError, match="Training is switched off"):
        training.resume_run("old", OPERATOR)
    assert sleeping == []


def test_beyond_the_number_of_runs_none_starts_until_one_is_deleted(sleeping, runs, monkeypatch):
    monkeypatch.setenv("LM2_MAX_RUNS", "2")
    kept_run(runs, "a")
    kept_run(runs, "b")
    page = press(open_page("train"), "Start")
    assert "this server keeps 2 runs at most and has 2; delete one first" in messages(page)
    assert sleeping == []
    training.delete_run("a", ME)
    press(open_page("train"), "Start")
    assert sorted(run_names()) == ["b", "first"]


def test_beyond_the_bytes_of_runs_none_starts_and_a_run_that_has_them_is_resumed(sleeping, runs, monkeypatch):
    run = with_checkpoint(kept_run(runs, was_stopped=True))
    (run.folder / "weights").write_bytes(bytes(2000))
    monkeypatch.setattr(training, "RUN_BYTES", 9000)
    monkeypatch.setenv("LM2_MAX_BYTES", "10KB")
    page = press(open_page("train"), "Start")
    assert "other runs take 2.2 KB of the 10.0 KB that this server allows" in messages(page)
    assert sleeping == []
    training.resume_run("old", ME)
    assert len(sleeping) == 1


def test_the_bytes_of_runs_are_those_of_their_files_and_of_no_link(runs, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(bytes(100_000))
    for name in ("a", "b"):
        run = kept_run(runs, name)
        (run.folder / "file").write_bytes(bytes(1000))
        (run.folder / "link").symlink_to(tmp_path / "outside")
    records = sum(file.stat().st_size for file in runs.glob("*.json"))
    assert bytes_used(besides="a") - records == 1000
    assert bytes_used(besides="none") - records == 2000
