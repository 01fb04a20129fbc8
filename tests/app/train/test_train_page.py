"""The Train page: a run is what is on disk, runs alone, stops whole, and its curves are what it logged."""

import json
import os
import time
from dataclasses import replace
from random import Random

import psutil
import pytest

from app.loaders import runs as run_records
from app.loaders import training
from app.loaders.runs import (
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    find_run,
    process_of,
    state_of,
)
from lm2core.babi.tasks import make_story
from lm2core.errors import UserError
from lm2core.evaluation.stories import score
from lm2core.reading.checkpoints import SHIPPED
from tests.app.pages import open_page
from tests.app.train.training_runs import ME, kept_run, log_metrics, messages, press


def test_a_run_begins_with_what_was_chosen_and_outlives_the_page(sleeping, runs):
    page = open_page("train")
    page.text_input(key="run_name").set_value("mine")
    page.multiselect(key="run_tasks").set_value(["qa1", "qa2"])
    page.number_input(key="run_steps").set_value(77)
    page.number_input(key="run_seed").set_value(5)
    press(page, "Start")
    (command,) = sleeping
    chosen = [f"--out={runs / 'mine'}", "--tasks=qa1,qa2", "--steps=77", "--seed=5"]
    assert command[1:] == ["-m", "lm2core", "train", "--preset=babi-tiny", *chosen]
    reloaded = open_page("train")  # state is on disk: a reload and another server are alike
    assert reloaded.selectbox(key="run").value == "mine"
    assert any(b.label == "Stop" for b in reloaded.button)
    press(reloaded, "Stop")
    assert state_of(find_run("mine")) == STOPPED


def test_stop_ends_the_process_and_its_children(sleeping):
    run = training.start_run("a", ["qa1"], 10, 0, ME)
    process = psutil.Process(run.pid)
    while not (children := process.children()):
        time.sleep(0.05)
    training.stop_run(run.name, ME)
    assert process_of(run) is None
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_one_run_is_running_at_a_time(sleeping):
    training.start_run("a", ["qa1"], 10, 0, ME)
    page = open_page("train")
    page.text_input(key="run_name").set_value("b")
    press(page, "Start")
    assert "run a is running, and this server trains one at a time" in messages(page)
    assert len(sleeping) == 1


def test_another_process_with_the_same_id_is_not_the_run(runs):
    """After a restart of the machine, any process may have the id; it must never be stopped."""
    mine = kept_run(runs, pid=os.getpid(), born=psutil.Process().create_time() - 5)
    assert state_of(mine) == FAILED
    training.stop_run(mine.name, ME)
    assert process_of(replace(mine, born=mine.born + 5)) is not None


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "A b", "x" * 41, ".hidden", "-rf", "a\n", "<b>"]
)  # fmt: skip
def test_a_name_that_is_not_allowed_is_refused(sleeping, runs, name):
    with pytest.raises(ValueError, match="give 1 to 40 lower-case letters"):
        training.start_run(name, ["qa1"], 10, 0, ME)
    assert sleeping == []
    assert not runs.exists()


def test_a_taken_name_is_refused(sleeping, runs):
    kept_run(runs, "old")
    with pytest.raises(ValueError, match="there is already a run old"):
        training.start_run("old", ["qa1"], 10, 0, ME)


def test_a_folder_that_cannot_be_written_is_reported_in_one_line(monkeypatch):
    monkeypatch.setenv("LM2_RUNS", "/proc/none")
    page = press(open_page("train"), "Start")
    assert "cannot write to /proc/none" in messages(page)
    assert len(page.error) == 1


def test_the_curves_are_what_the_run_logged_beside_what_needs_no_model(runs):
    run = kept_run(runs, was_stopped=True)
    log_metrics(
        run,
        {"step": 10, "loss": 2.0, "accuracy_qa1": 0.25},
        {"step": 20, "loss": None, "accuracy_qa1": 0.5},
    )
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "lo')  # being written
    page = open_page("train")
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    lines = {line.get("name"): line for line in spec["data"]}
    assert (lines["qa1"]["x"], lines["qa1"]["y"]) == ([10, 20], [0.25, 0.5])
    stories = [make_story("qa1", Random(seed)) for seed in range(training.N_STORIES_OF_FLOOR)]
    floor = score(stories, [["x"] * len(story.questions) for story in stories])
    assert any(name and name.startswith("last place or thing named in qa1") for name in lines)
    drawn = [
        line["y"][0] for line in spec["data"] if line.get("name", "").startswith(("most frequent", "last"))
    ]
    assert drawn == [floor.majority, floor.last_mentioned]
    assert 0.4 < floor.last_mentioned < 0.65  # about one half on qa1: nothing to be proud of


def test_a_full_disk_is_reported_with_the_last_error_of_the_log(runs):
    run = kept_run(runs)
    bar = "  1%|\r  2%|\r"
    error = "lm2: cannot write to /x: No space left on device; make room there, then go on with --resume"
    (runs / "old.log").write_text(f"{bar}\n{error}\n")
    page = open_page("train")
    assert "The run failed: cannot write to /x: No space left on device" in messages(page)
    assert len(page.error) == 1
    assert state_of(run) == FAILED


def test_a_full_disk_keeps_no_run_running(sleeping, runs, monkeypatch):
    """A run whose record cannot be written is stopped all the same, and the page says so."""
    others = psutil.Process().children()  # a browser of other tests, say
    run, write = training.start_run("a", ["qa1"], 10, 0, ME), run_records.write_atomically

    def full(path, text):
        raise UserError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(run_records, "write_atomically", full)
    page = press(open_page("train"), "Stop")
    assert "No space left on device" in messages(page)
    assert len(page.error) >= 1
    assert process_of(run) is None
    with pytest.raises(UserError, match="No space left on device"):
        training.start_run("b", ["qa1"], 10, 0, ME)
    runs_left = [child for child in psutil.Process().children() if child not in others]
    psutil.wait_procs(runs_left, timeout=5)
    assert not [child for child in runs_left if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    monkeypatch.setattr(run_records, "write_atomically", write)
    assert state_of(training.start_run("c", ["qa1"], 10, 0, ME)) == RUNNING


def test_a_killed_run_with_an_empty_log_is_reported(runs):
    kept_run(runs)
    assert "its log is empty; was it killed?" in messages(open_page("train"))


def test_a_stopped_run_resumes_only_from_a_complete_checkpoint(sleeping, runs):
    run = kept_run(runs, was_stopped=True)
    (run.folder / "checkpoint-250").mkdir()
    assert "The run ended before its first checkpoint" in messages(open_page("train"))
    (run.folder / "checkpoint-250" / "curriculum.json").write_text("{}")
    press(open_page("train"), "Resume")
    assert "--resume" in sleeping[0]
    assert state_of(find_run("old")) == RUNNING


def test_a_finished_run_joins_the_models_of_one_user_alone(runs):
    run = kept_run(runs)
    for file in (SHIPPED / "babi-qa1-3").iterdir():
        (run.folder / file.name).write_bytes(file.read_bytes())
    assert state_of(run) == FINISHED
    page = press(open_page("train"), "Use this model on the other pages")
    page.switch_page("views/story.py").run()
    assert page.selectbox(key="model").options[-1].startswith("run:old@")
    other = open_page("story")
    assert not any(name.startswith("run:") for name in other.selectbox(key="model").options)


def test_a_broken_record_is_reported_in_one_line(runs):
    kept_run(runs)
    (runs / "old.json").write_text("[")
    page = open_page("train")
    assert "the record of run old cannot be read" in messages(page)


@pytest.mark.parametrize("query", [{"run": "../../etc"}, {"run": "<b>"}])
def test_a_link_to_no_run_still_opens(query):
    assert "No run yet" in messages(open_page("train", **query))


def test_the_memory_of_a_run_is_shown_with_what_it_warns_of(runs):
    run = kept_run(runs, "a")
    measured = {"memory_n_slots": 24, "memory_slots_in_use": 5.25, "memory_n_never_written": 18}
    gates = {"memory_gate_in": 0.3, "memory_gate_forget": 0.001, "memory_gate_out": None}
    log_metrics(run, {"step": 500, "loss": 1.0} | measured | gates, {"step": 510, "loss": 0.9})
    page = open_page("train")
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown == {"Slots in use": "5.2 of 24", "Input gates, mean": "0.30", "Forget gates, mean": "0.00"}
    assert [warning.value for warning in page.warning] == [
        "18 of 24 slots were never written in 500 steps",
        "forget gates are shut: nothing is kept",
    ]
    log_metrics(run, {"step": 10, "loss": 1.0})
    assert not open_page("train").metric
