"""What slots hold and do, as a user types it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from lm2core.reading.answers import read_stories
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import untrained
from lm2core.reading.story_traces import record_questions
from lm2core.training.recipe import PRESETS
from lm2core.training.run_folder import RECIPE_FILE, SKIPS_FILE
from lm2core.training.stories import train
from lm2viz.cli.emergence import _checkpoint_models
from lm2viz.cli.main import main
from lm2viz.sample.story_sample import StorySample
from lm2viz.stats import ReadSpec, compare_reads, replace_questions

MODEL = "babi-qa1-3"


def test_probe_names_the_slot_of_a_fact_beside_its_controls_and_writes_five_tables(tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--stories", "24", "--fact", "place of Mary", "--out", str(out)]
    assert main(["probe", MODEL, *options]) == 0
    statement = capsys.readouterr().out
    for control in ("majority", "shuffled labels", "control task", "untrained model"):
        assert control in statement
    tables = {file.stem: pd.read_csv(file) for file in out.glob("*.csv")}
    assert set(tables) == {"decoded-and-used", "probes", "probes-by-age", "code-length", "learning-curve"}
    assert statement.startswith("Of 24 pairs of a slot and a fact, probes decode the fact in ")
    assert tables["decoded-and-used"].set_index("slot")["verdict"][13] == "decoded and used"
    best = tables["probes"].query("slot == 'best'")
    assert best["accuracy"].item() > 0.9 > best["untrained_model"].item()
    assert tables["probes-by-age"]["untrained_model"].max() < 0.9
    for name, by in (("code-length", "code"), ("learning-curve", "name")):
        assert tables[name][by].value_counts()["untrained model"] == tables[name][by].value_counts()["probe"]


def test_look_says_half_lives_and_ranks_beside_an_untrained_model(capsys):
    options = ["--stories", "9", "--slots", "13", "--fact", "place of Mary"]
    assert main(["stats", MODEL, *options]) == 0
    statement = capsys.readouterr().out
    assert "90 sentences of 9 stories" in statement
    assert statement.count("untrained") > 6
    assert "silhouette by place of Mary: model" in statement


def test_look_asks_a_question_in_every_block_before_and_after_beside_the_same_untrained_model(
    tmp_path, capsys
):
    options = ["--stories", "9", "--seed", "2"]
    assert main(["stats", MODEL, "--ask", "Where is Mary", "--out", str(tmp_path), *options]) == 0
    statement = capsys.readouterr().out
    sample = StorySample("qa1", 9, seed=2)
    question_trace, control_questions = (
        record_questions(
            each, replace_questions(read_stories(each, sample.stories), "Where is Mary?", [1, 10])
        )
        for each in sample.model_and_control(load(MODEL))
    )
    for block in range(4):
        expected = compare_reads(question_trace, ReadSpec(1, 10, block), untrained=control_questions, seed=2)
        assert expected.summary() in statement
        assert (tmp_path / f"reads-{block}.html").exists()
        table = pd.read_csv(tmp_path / f"reads-{block}.csv")
        np.testing.assert_allclose(table["change"], expected.table()["change"])
    assert "reads-4" not in statement


def test_explore_says_who_writes_reads_and_explains_a_slot(capsys):
    assert main(["slots", MODEL, "--stories", "13"]) == 0
    statement = capsys.readouterr().out
    assert "slot 13, read by: where is mary ?" in statement
    assert "slot 13: place of Mary" in statement


def test_a_model_matched_with_itself_has_every_slot_in_its_place(tmp_path):
    out = tmp_path / "out"
    assert main(["match-slots", MODEL, MODEL, "--stories", "14", "--out", str(out)]) == 0
    table = pd.read_csv(out / "matching.csv")
    assert (table.iloc[:, 0] == table.iloc[:, 1]).all()


def test_became_says_from_which_checkpoint_on_a_slot_holds_a_fact(tmp_path, capsys):
    lm = load(MODEL)
    for step, each in ((5, untrained(lm, seed=1)), (9, lm), (12, lm)):
        each.model.save_pretrained(tmp_path / f"checkpoint-{step}")
        lm.tokenizer.save_pretrained(tmp_path / f"checkpoint-{step}")
        (tmp_path / f"checkpoint-{step}" / SKIPS_FILE).write_text("{}")
    (tmp_path / "checkpoint-20").mkdir()  # of a run that was killed
    (tmp_path / RECIPE_FILE).write_text('{"seed": 4, "start_from": null}')
    options = ["--fact", "place of Mary", "--stories", "44", "--out", str(tmp_path / "out")]
    assert main(["emergence", str(tmp_path), *options]) == 0
    assert capsys.readouterr().out.startswith("slot 13 holds place of Mary from step 9 on")
    table = pd.read_csv(tmp_path / "out" / "emergence.csv")
    assert table["step"].tolist() == [0, 5, 9, 12]
    assert table["score"][1] < 0.6 < table["score_low"][2]


def test_became_begins_with_the_very_model_the_run_began_with(tmp_path):
    recipe = replace(PRESETS["babi-tiny"], tasks=("qa1",), n_steps=1, n_stories=2, memory_slots=5, seed=7)
    train(replace(recipe, learning_rate=0.0), tmp_path)
    (zero, began), (one, after) = _checkpoint_models(tmp_path)
    assert (zero, one) == (0, 1)
    saved = after.model.state_dict()
    for name, weight in began.model.state_dict().items():
        torch.testing.assert_close(weight, saved[name], rtol=0, atol=0)


def test_became_makes_up_no_first_model_of_a_run_that_began_with_a_trained_one_or_does_not_say(tmp_path):
    lm = load(MODEL)
    lm.model.save_pretrained(tmp_path / "checkpoint-6")
    lm.tokenizer.save_pretrained(tmp_path / "checkpoint-6")
    (tmp_path / "checkpoint-6" / SKIPS_FILE).write_text("{}")
    assert [step for step, _ in _checkpoint_models(tmp_path)] == [6]
    for began in ({"start_from": MODEL}, {"llama": "a-llama"}):
        (tmp_path / RECIPE_FILE).write_text(json.dumps({"seed": 2} | began))
        assert [step for step, _ in _checkpoint_models(tmp_path)] == [6]
