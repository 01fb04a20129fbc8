"""Help is quick; what cannot be done is one line and status 2."""

import os
import subprocess
import sys

import pytest

from lm2core.babi.counterfactual import KINDS_OF
from lm2viz.cli.main import main

MODEL = "babi-qa1-3"


def test_help_names_the_analyses_in_under_a_second_without_torch():
    code = "import sys; from lm2viz.cli.main import main; main(['--help']); print('torch' in sys.modules)"
    before = os.times().children_user
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert os.times().children_user - before < 1  # of the processor: other work must not fail this
    assert out.rstrip().endswith("False")
    assert "Look into a memory" in out
    assert " intervene " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trace", MODEL, "--out", "x"], "give exactly one of --story FILE, --babi FILE and --task NAME"),
        (["trace", MODEL, "--out", "x", "--task", "qa1", "--babi", "y"], "give exactly one of"),
        (["trace", MODEL, "--out", "x", "--task", "qa99"], "unknown task 'qa99'"),
        (["report", "no.safetensors", "--out", "x.html"], "no trace file at no.safetensors; make one with"),
        (
            ["report", "folder", "--out", "x.html"],
            "folder is a folder of traces; name one of its files, such as",
        ),
        (["report", "x.safetensors", "--out", "x.html", "--image", "png"], "and a folder with --parts"),
        (["intervene", MODEL], "give one of --edits FILE and --zero SLOTS"),
        (["intervene", MODEL, "--zero", "a"], "--zero a is not a list of slots; give numbers"),
        (["intervene", MODEL, "--zero", "24", "--stories", "2"], "zero: no slot 24; this model has 0..23"),
        (["probe", "no.safetensors"], "no trace file at no.safetensors; make one with"),
        (["probe", "no-model"], "no checkpoint 'no-model'; give a folder"),
        (["probe", MODEL, "--stories", "3"], "got 3 stories, but 5 folds need at least 10"),
        (
            ["probe", MODEL, "--stories", "12", "--fact", "place of Zoe"],
            "unknown fact place of Zoe; known",
        ),
        (["intervene", "no-model", "--zero", "5,5"], "--zero 5,5 names a slot twice; give each once"),
        (["stats", "no-model", "--slots", "x"], "--slots x is not a list of slots; give numbers"),
        (["stats", "no-model", "--slots", "3,7,3"], "--slots 3,7,3 names a slot twice; give each once"),
        (
            ["stats", "no-model", "--slots", "13"],
            "--slots 13 is one slot, so all points have one colour; give --fact",
        ),
        (["stats", "no-model", "--slots", "13", "--fact", "slot"], "all points have one colour; give --fact"),
        (
            ["stats", "no-model", "--fact", "place of Mary"],
            'place of Mary" colours a map of slots; choose the slots',
        ),
        (["stats", MODEL, "--stories", "1"], "an interval over stories needs at least 2"),
        (["stats", MODEL, "--stories", "2", "--ask", "Where is Zoe?"], "unknown words: Zoe"),
        (
            ["match-slots", MODEL, "babilong-qa1-5", "--stories", "1"],
            "too few to hold some out; record at least 8",
        ),
        (["provenance", MODEL, "--follow", "x", "--stories", "2"], "unknown follow='x'; choose one of"),
        (["provenance", MODEL, "--truth", "x"], "--truth x; choose one of: supports, needed"),
        (["ablate-sentences", "no-model"], "no checkpoint 'no-model'; give a folder"),
        (
            ["emergence", "no-run", "--fact", "place of Mary"],
            "no complete checkpoint in no-run; give the folder",
        ),
        (["ablate-sentences", MODEL, "--task", "qa1.txt"], "cannot read qa1.txt: No such file"),
        (["ablate-sentences", MODEL, "--task", "qa99"], "unknown task 'qa99'"),
        (["causal-map", MODEL, "--task", "qa11"], "task 'qa11' has no counterfactuals; choose from: qa1"),
        (["causal-map", MODEL, "--kind", "x"], "task 'qa1' has no 'x' counterfactuals; choose from: place"),
        (["attribute", MODEL, "--stories", "1"], "one story"),
        (
            ["interchange", MODEL, "--fact", "x", "--slots", "3", "--search"],
            "--search finds the slots itself",
        ),
        (["interchange", MODEL, "--fact", "mood", "--stories", "9"], "they have: place of Daniel, place of"),
        (["interchange", MODEL, "--fact", "mood", "--slots", "3,24"], "no slot 24; this model has 0..23"),
        (
            ["interchange", MODEL, "--fact", "place of Mary", "--stories", "12"],
            "an interval needs 10 stories",
        ),
        (["probe", MODEL, "--seed", "-1"], "--seed': Input should be greater than or equal to 0"),
        (["intervene", MODEL, "--edits", "no.json"], "cannot read no.json"),
        (["intervene", MODEL, "--zero", "1", "--stories", "2", "--image", "png"], "and a folder with --out"),
        (["intervene", MODEL, "--zero", "1", "--stories", "2", "--image", "gif"], "give png or svg"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part-00000.safetensors").touch()
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("lm2: ")
    assert printed.count("\n") == 1
    assert message in printed


COMMANDS = [
    ["stats", "no-model"],
    ["slots", "no-model"],
    ["probe", "no-model"],
    ["provenance", "no-model"],
    ["ablate-sentences", "no-model"],
    ["lens", "no-model", "--story", "no.txt", "--question", "Where is Mary?"],
    ["intervene", "no-model", "--zero", "1"],
    ["interchange", "no-model", "--fact", "place of Mary"],
    ["causal-map", "no-model"],
    ["attribute", "no-model"],
    ["match-slots", "no-model", "no-model"],
    ["emergence", "no-run", "--fact", "place of Mary"],
    ["report", "no.safetensors", "--out", "page.html"],
]


def refused(arguments, capsys):
    """What the command says; the model it names is not there, and that it would say had it begun."""
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_image_or_a_folder_that_cannot_be_is_told_before_anything_is_measured(
    command, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    option = "--parts" if command[0] == "report" else "--out"
    allowed = f"give png or svg, and a folder with {option}"
    assert f"--image png; {allowed}" in refused([*command, "--image", "png"], capsys)
    assert f"--image pdf; {allowed}" in refused([*command, option, "new", "--image", "pdf"], capsys)
    assert not (tmp_path / "new").exists()
    statement = refused([*command, option, str(tmp_path / "file" / "in")], capsys)
    assert "in: Not a directory; choose another" in statement


@pytest.mark.parametrize(
    "mistake",
    [
        ["intervene", "no-model"],
        ["stats", "no-model", "--slots", "three"],
        ["provenance", "no-model", "--truth", "mine"],
        ["probe", "no-model", "--labels", "no.csv"],
        ["slots", "no-model", "--labels", "no.csv"],
        ["emergence", "no-run", "--fact", "place of Mary", "--labels", "no.csv"],
    ],
    ids=lambda command: command[0],
)
def test_a_mistake_in_a_command_s_own_options_makes_no_folder(mistake, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "no-model" not in refused([*mistake, "--out", "new"], capsys)
    assert not list(tmp_path.iterdir())


def test_what_cannot_draw_an_image_is_told_before_anything_is_measured(capsys, monkeypatch, tmp_path):
    def without_a_browser(*_, **__):
        raise RuntimeError("no Chromium\nin many lines")

    monkeypatch.setattr("plotly.graph_objects.Figure.write_image", without_a_browser)
    statement = refused(["causal-map", "no-model", "--out", str(tmp_path), "--image", "svg"], capsys)
    assert "images need kaleido and Chromium" in statement
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["stats", "slots", "probe", "emergence"])
def test_labels_that_are_not_there_are_told_before_anything_is_measured(command, capsys):
    more = ["--fact", "mood"] if command == "emergence" else []
    assert "cannot read labels no.csv" in refused([command, "no-model", *more, "--labels", "no.csv"], capsys)


def test_help_of_map_names_the_tasks_it_takes(capsys):
    assert main(["causal-map", "--help"]) == 0
    statement = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ", ".join(KINDS_OF) in statement
    assert "bAbI format" not in statement


@pytest.mark.parametrize("command", ["stats", "slots", "probe", "emergence"])
def test_labels_of_a_story_that_is_not_there_are_refused_before_a_model_is_opened(
    command, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text("story,segment,fact,value\n5,0,mood,glad\n")
    more = ["--fact", "mood"] if command == "emergence" else []
    message = refused([command, "no-model", "--stories", "3", "--labels", "labels.csv", *more], capsys)
    assert "a label is about story 5; these are 0 to 2" in message
