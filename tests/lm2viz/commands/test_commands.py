"""Analyses as a user types them: exit status, what is said, what is written, one-line errors."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lm2core.checkpoints import load_reader
from lm2core.compare.measures import untrained
from lm2core.run_folder import SKIPS_FILE
from lm2core.story_traces import TraceFolder, record_questions
from lm2core.trace import Trace
from lm2viz.cli import main
from lm2viz.commands.shared import read_twice
from lm2viz.look import Look, ask_at, compare_reads
from tests.handmade import SLOT_OF, handmade_reader, handmade_stories

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
    before = os.times().children_user
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert os.times().children_user - before < 1  # of the processor: other work must not fail this
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
    assert "<figure " in (tmp_path / "out" / "effect.html").read_text()
    assert "random vector" in (tmp_path / "out" / "effect.svg").read_text()


def test_probe_names_the_slot_of_a_fact_beside_its_controls_and_writes_four_tables(tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--stories", "24", "--fact", "place of Mary", "--out", str(out)]
    assert main(["probe", MODEL, *options]) == 0
    said = capsys.readouterr().out
    for control in ("majority", "shuffled labels", "control task", "untrained model"):
        assert control in said
    tables = {file.stem: pd.read_csv(file) for file in out.glob("*.csv")}
    assert set(tables) == {"probes", "probes-by-age", "code-length", "learning-curve"}
    best = tables["probes"].query("slot == 'best'")
    assert best["accuracy"].item() > 0.9 > best["untrained_model"].item()
    assert tables["probes-by-age"]["untrained_model"].max() < 0.9
    for name, by in (("code-length", "code"), ("learning-curve", "name")):
        assert tables[name][by].value_counts()["untrained model"] == tables[name][by].value_counts()["probe"]


def test_probe_of_traces_takes_labels_of_one_s_own(traces, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    lines = [f"{b},{s},half,{'first' if s < 5 else 'second'}" for b in range(7) for s in range(10)]
    labels.write_text("\n".join(["story,segment,fact,value", *lines]))
    assert main(["probe", str(traces), "--labels", str(labels)]) == 2
    assert "half: " in capsys.readouterr().err  # seven stories are too few for five folds, and it says so


def test_look_says_half_lives_and_ranks_beside_an_untrained_model(capsys):
    options = ["--stories", "9", "--slots", "13", "--fact", "place of Mary"]
    assert main(["look", MODEL, *options]) == 0
    said = capsys.readouterr().out
    assert "90 sentences of 9 stories" in said
    assert said.count("untrained") > 6
    assert "silhouette of place of Mary: model" in said


def test_look_asks_a_question_in_every_block_before_and_after_beside_the_same_untrained_model(
    tmp_path, capsys
):
    options = ["--stories", "9", "--seed", "2"]
    assert main(["look", MODEL, "--ask", "Where is Mary", "--out", str(tmp_path), *options]) == 0
    said = capsys.readouterr().out
    (reader, trace), (control, of_control) = read_twice(MODEL, "qa1", 9, 2, names=["hook_bank"])
    asked, control_asked = (
        record_questions(each, ask_at(told, "Where is Mary?", [1, 10]))
        for each, told in ((reader, trace), (control, of_control))
    )
    for block in range(4):
        expected = compare_reads(asked, Look(1, 10, block), untrained=control_asked, seed=2)
        assert expected.summary() in said
        assert (tmp_path / f"reads-{block}.html").exists()
        table = pd.read_csv(tmp_path / f"reads-{block}.csv")
        np.testing.assert_allclose(table["change"], expected.table()["change"])
    assert "reads-4" not in said


def test_traces_have_no_untrained_model_beside_them_and_that_is_said(traces, capsys):
    assert main(["look", str(traces)]) == 0
    told = capsys.readouterr()
    assert told.err == f"{traces}: no untrained model beside traces; give the checkpoint for it\n"
    assert "untrained" not in told.out


def test_look_asks_no_question_of_traces_without_their_model(traces, capsys):
    assert main(["look", str(traces), "--ask", "Where is Mary?"]) == 2
    assert "--ask needs the model that is asked; give a checkpoint" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_a_bank_that_is_not_finite_is_told_in_one_line(traces, tmp_path, capsys):
    trace = Trace.load(traces / "part-00000.safetensors")
    trace.arrays["hook_bank"] = trace.arrays["hook_bank"].copy()
    trace.arrays["hook_bank"][0, 3] = np.nan
    trace.save(tmp_path / "nan.safetensors")
    main(["probe", str(tmp_path / "nan.safetensors")])  # too few stories for a probe
    told = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("lm2:"))
    assert told.startswith("lm2: 1 of ")
    assert told.endswith("left out because they are not finite; the first is of story 0, sentence 3")


def test_an_effect_on_one_story_has_no_interval_and_no_evidence(capsys):
    assert main(["effect", MODEL, "--zero", "13", "--stories", "1"]) == 0
    said = capsys.readouterr().out
    assert "no interval" in said
    assert "p = 1" in said


def test_explore_says_who_writes_reads_and_explains_a_slot(capsys):
    assert main(["explore", MODEL, "--stories", "13"]) == 0
    said = capsys.readouterr().out
    assert "slot 13, read by: where is mary ?" in said
    assert "slot 13: place of Mary" in said


def test_a_model_matched_with_itself_has_every_slot_in_its_place(tmp_path):
    out = tmp_path / "out"
    assert main(["diff", MODEL, MODEL, "--stories", "14", "--out", str(out)]) == 0
    table = pd.read_csv(out / "matching.csv")
    assert (table.iloc[:, 0] == table.iloc[:, 1]).all()


def test_became_says_from_which_checkpoint_on_a_slot_holds_a_fact(tmp_path, capsys):
    reader = load_reader(MODEL)
    for step, each in ((5, untrained(reader, seed=1)), (9, reader), (12, reader)):
        each.model.save_pretrained(tmp_path / f"checkpoint-{step}")
        reader.tokenizer.save_pretrained(tmp_path / f"checkpoint-{step}")
        (tmp_path / f"checkpoint-{step}" / SKIPS_FILE).write_text("{}")
    (tmp_path / "checkpoint-20").mkdir()  # of a run that was killed
    options = ["--fact", "place of Mary", "--stories", "44", "--out", str(tmp_path / "out")]
    assert main(["became", str(tmp_path), *options]) == 0
    assert capsys.readouterr().out.startswith("slot 13 holds place of Mary from step 9 on")
    table = pd.read_csv(tmp_path / "out" / "became.csv")
    assert table["step"].tolist() == [0, 5, 9, 12]
    assert table["score"][1] < 0.6 < table["score_low"][2]


def test_provenance_finds_the_support_beside_chance_and_an_untrained_model(capsys):
    assert main(["provenance", MODEL, "--stories", "6"]) == 0
    first = capsys.readouterr().out.splitlines()[1]
    assert first.startswith("who wrote it, all supports in top k, all questions: 100.0%")
    assert "chance 2" in first
    assert "untrained" in first


def test_leave_out_says_which_sentences_answers_need_beside_an_untrained_model(tmp_path, capsys):
    assert main(["leave-out", MODEL, "--task", "qa1", "--stories", "4", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "20 questions of 4 stories" in said
    assert said.count("untrained") == 2
    table = pd.read_csv(tmp_path / "left-out.csv")
    needed = table.groupby("is_support")["is_needed"].mean()
    assert needed[True] > 0.8
    assert needed[False] < 0.1
    assert f"needed of supporting facts: {needed[True]:.1%}" in said


def test_a_model_of_other_words_is_looked_into_with_stories_of_its_own(tmp_path, capsys):
    reader, folder = handmade_reader(), tmp_path / "model"
    reader.model.save_pretrained(folder)
    reader.tokenizer.save_pretrained(folder)
    told = handmade_stories(9)
    lines = [
        [*(f"{n} {sentence}" for n, sentence in enumerate(story.sentences, start=1)),
         *(f"{len(story.sentences) + 1} {q.text}\t{q.answer}\t{q.support[0] + 1}" for q in story.questions)]
        for story in told
    ]  # fmt: skip
    (tmp_path / "own.txt").write_text("\n".join(line for story in lines for line in story) + "\n")
    own = ["--task", str(tmp_path / "own.txt"), "--stories", "7"]
    for command in ("provenance", "leave-out", "attribute", "look"):
        assert main([command, str(folder), *own]) == 0
    assert main(["effect", str(folder), "--zero", str(SLOT_OF["Mary"]), *own]) == 0
    said = capsys.readouterr().out
    assert "7 stories, intervals by story" in said
    assert "who wrote it, all supports in top k, all questions: 100.0%" in said
    assert "zero in" in said


def test_a_baseline_has_sentences_left_out_alike(capsys):
    assert main(["leave-out", "babi-qa1-10-llama", "--task", "qa1", "--stories", "2"]) == 0
    assert "babi-qa1-10-llama: 10 questions of 2 stories" in capsys.readouterr().out


def test_provenance_can_be_scored_by_what_the_answers_need(capsys):
    assert main(["provenance", MODEL, "--stories", "3", "--truth", "needed"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith("supports: what the answer needs")
    assert "untrained" in second


def test_map_says_the_effect_of_one_slot_beside_that_of_placebos(capsys):
    assert main(["map", MODEL, "--pairs", "4", "--sentences", "5"]) == 0
    said = capsys.readouterr().out
    assert "4 pairs (qa1 'place') of 5 sentences, 4 placebos" in said
    assert said.count("of placebos") == 4


def test_attribute_prints_how_far_the_parts_miss_the_logits(capsys):
    assert main(["attribute", MODEL, "--stories", "5"]) == 0
    said = capsys.readouterr().out
    assert "parts add up to" in said
    assert "control: fresh bank" in said
    assert "integrated gradients" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trace", MODEL, "--out", "x"], "give one of --story FILE, --babi FILE and --task NAME"),
        (["trace", MODEL, "--out", "x", "--task", "qa1", "--babi", "y"], "give one of"),
        (["trace", MODEL, "--out", "x", "--task", "qa99"], "unknown task 'qa99'"),
        (["report", "no.safetensors", "--out", "x.html"], "no trace file at no.safetensors; make one with"),
        (
            ["report", "folder", "--out", "x.html"],
            "folder is a folder of traces; name one of its files, such as",
        ),
        (["report", "x.safetensors", "--out", "x.html", "--image", "png"], "and a folder with --parts"),
        (["effect", MODEL], "give one of --edits FILE and --zero SLOTS"),
        (["effect", MODEL, "--zero", "a"], "--zero a; give slot numbers by commas"),
        (["effect", MODEL, "--zero", "24", "--stories", "2"], "zero: no slot 24; this model has 0..23"),
        (["probe", "no.safetensors"], "no trace file at no.safetensors; make one with"),
        (["probe", "no-model"], "no-model"),
        (["probe", MODEL, "--stories", "3"], "3"),
        (["probe", MODEL, "--stories", "12", "--fact", "place of Zoe"], "place of Zoe"),
        (["look", MODEL, "--slots", "x"], "--slots x; give slot numbers by commas"),
        (["look", MODEL, "--stories", "1"], "1"),
        (["look", MODEL, "--stories", "2", "--ask", "Where is Zoe?"], "unknown words: Zoe"),
        (["diff", MODEL, "babilong-qa1-5", "--stories", "1"], "1"),
        (["provenance", MODEL, "--follow", "x", "--stories", "2"], "follow='x' is unknown; take one of"),
        (["provenance", MODEL, "--truth", "x"], "--truth x; take one of: supports, needed"),
        (["leave-out", "no-model"], "no-model"),
        (["became", "no-run", "--fact", "place of Mary"], "no whole checkpoint in no-run; give the folder"),
        (["leave-out", MODEL, "--task", "qa1.txt"], "qa1.txt"),
        (["leave-out", MODEL, "--task", "qa99"], "unknown task 'qa99'"),
        (["map", MODEL, "--kind", "x"], "no 'x' counterfactuals of task 'qa1', only: place"),
        (["attribute", MODEL, "--stories", "1"], "one story"),
        (["effect", MODEL, "--edits", "no.json"], "cannot read no.json"),
        (["effect", MODEL, "--zero", "1", "--stories", "2", "--image", "png"], "and a folder with --out"),
        (["effect", MODEL, "--zero", "1", "--stories", "2", "--image", "gif"], "give png or svg"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part-00000.safetensors").touch()
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("lm2: ")
    assert message.count("\n") == 1
    assert said in message
