"""A visitor changes only runs of the same browser, the operator all; nothing but runs is deleted."""

import json

import pytest

from app.loaders import training
from app.loaders.runs import RUNNING, find_run, run_names, state_of
from app.loaders.visitor import Visitor
from app.visitor_cookie import COOKIE
from lm2core.errors import UserError
from tests.app.pages import open_page
from tests.app.train.training_runs import KEY, ME, OPERATOR, kept_run, messages, press

TOKEN = "a-token-for-tests"
OTHER = Visitor("other")


def labels(page):
    return {button.label for button in page.button}


def captions(page):
    return " ".join(caption.value for caption in page.caption)


def test_another_browser_sees_a_run_and_cannot_stop_it(sleeping, cookies):
    training.start_run("a", ["qa1"], 10, 0, ME)
    cookies[COOKIE] = "x" * 32
    page = open_page("train")
    assert page.selectbox(key="run").value == "a"
    assert "Another visitor started this run" in captions(page)
    assert not labels(page) & {"Stop", "Delete a for good"}
    with pytest.raises(UserError, match="run a was started by another visitor"):
        training.stop_run("a", OTHER)
    assert state_of(find_run("a")) == RUNNING


@pytest.mark.parametrize("cookie", [None, "", "short", "k" * 31 + ";"])
def test_without_a_cookie_a_run_is_its_session_s(sleeping, cookies, cookie):
    cookies.clear()
    if cookie is not None:
        cookies[COOKIE] = cookie
    page = press(open_page("train"), "Start")
    assert "Stop" in labels(page)
    assert "Stop" not in labels(open_page("train"))


def test_another_visitor_s_run_is_neither_resumed_nor_deleted(sleeping, runs):
    run = kept_run(runs, was_stopped=True)
    (run.folder / "checkpoint-250").mkdir()
    (run.folder / "checkpoint-250" / "curriculum.json").write_text("{}")
    for action in (training.resume_run, training.delete_run):
        with pytest.raises(UserError, match="run old was started by another visitor"):
            action("old", OTHER)
    assert sleeping == []
    assert run.folder.is_dir()


def test_a_run_without_an_owner_is_nobody_s(runs):
    kept_run(runs, owner="")
    with pytest.raises(UserError, match="started by another visitor"):
        training.delete_run("old", Visitor(""))
    training.delete_run("old", OPERATOR)
    assert run_names() == []


def test_the_token_opens_the_runs_of_others_in_one_session_alone(sleeping, cookies, monkeypatch):
    monkeypatch.setenv("LM2_TOKEN", TOKEN)
    training.start_run("a", ["qa1"], 10, 0, ME)
    cookies[COOKIE] = "x" * 32
    page = open_page("train")
    page.text_input(key="typed_token").set_value(TOKEN[:-1])
    press(page, "Manage all runs")
    assert "this is not the server's token" in messages(page)
    assert "Stop" not in labels(page)
    page.text_input(key="typed_token").set_value(TOKEN)
    press(page, "Manage all runs")
    assert "Stop" in labels(page)
    assert "Stop" not in labels(open_page("train"))


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_token_is_asked_for_only_where_there_is_one(runs, monkeypatch, token):
    if token:
        monkeypatch.setenv("LM2_TOKEN", token)
    kept_run(runs, owner="other")
    page = open_page("train")
    assert bool([box for box in page.text_input if box.label == "Token"]) == bool(token)
    assert ("This server has no token" in captions(page)) == (token is None)


def test_a_run_does_not_get_the_token(runs, monkeypatch):
    given = {}

    def popen(command, *, env, **_):
        given.update(env)
        raise OSError(2, "not started in this test")

    monkeypatch.setenv("LM2_TOKEN", TOKEN)
    monkeypatch.setattr("app.loaders.training.subprocess.Popen", popen)
    with pytest.raises(UserError, match="not started in this test"):
        training.start_run("a", ["qa1"], 10, 0, ME)
    assert given["LM2_RUNS"] == str(runs)
    assert TOKEN not in given.values()


def test_neither_the_record_nor_the_page_holds_the_key_of_a_browser(sleeping, runs):
    page = press(open_page("train"), "Start")
    record = (runs / "first.json").read_text()
    assert json.loads(record)["owner"] == ME.owner
    shown = repr(page)
    assert "first" in shown
    assert KEY not in record + shown
    assert ME.owner not in shown


def test_a_deleted_run_leaves_nothing_and_the_others_stay(runs):
    kept_run(runs, "kept")
    kept_run(runs, "old")
    page = open_page("train", run="old")
    press(page, "Delete old for good")
    assert page.selectbox(key="run").options == ["kept"]
    assert sorted(path.name for path in runs.iterdir()) == ["kept", "kept.json", "kept.log"]
    press(page, "Delete kept for good")
    assert "No run yet" in messages(page)


def test_a_run_that_is_running_is_not_deleted(sleeping):
    run = training.start_run("a", ["qa1"], 10, 0, ME)
    run.folder.mkdir()
    assert "Delete a for good" not in labels(open_page("train"))
    with pytest.raises(UserError, match="run a is running; stop it first"):
        training.delete_run("a", OPERATOR)
    assert run.folder.is_dir()


def test_no_record_makes_a_folder_elsewhere_be_deleted(runs, tmp_path):
    kept_run(runs)
    outside = tmp_path / "outside"
    outside.mkdir()
    record = json.loads((runs / "old.json").read_text())
    for file, name in ((runs / "old.json", "../outside"), (tmp_path / "outside.json", "../outside")):
        file.write_text(json.dumps(record | {"name": name}))
    for name in ("old", "../outside"):
        with pytest.raises(UserError, match="cannot be read"):
            training.delete_run(name, OPERATOR)
    assert outside.is_dir()


def test_a_link_is_not_followed_when_a_run_is_deleted(runs, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    run = kept_run(runs, "inner")
    (run.folder / "link").symlink_to(outside)
    training.delete_run("inner", ME)
    run = kept_run(runs)
    run.folder.rmdir()
    run.folder.symlink_to(outside)
    with pytest.raises(UserError, match="is a link to another place"):
        training.delete_run("old", ME)
    assert (outside / "file").read_text() == "kept"


def test_what_could_not_be_deleted_is_still_listed(runs, monkeypatch):
    kept_run(runs)

    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("app.loaders.training.shutil.rmtree", refuse)
    page = press(open_page("train"), "Delete old for good")
    assert "cannot delete run old: Permission denied" in messages(page)
    assert run_names() == ["old"]
