"""What answers rest on, as a user types it: effects, sentences left out, provenance, maps."""

import shutil

import pandas as pd
import pytest

from lm2viz.cli.main import main
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories

MODEL = "babi-qa1-3"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="images need chromium; apt-get install chromium")
def test_effect_says_the_change_beside_its_placebos_and_writes_them(tmp_path, capsys):
    edits = tmp_path / "edits.json"
    edits.write_text('[{"kind": "clamp_gate", "gate": "out", "value": 0}]')
    options = ["--edits", str(edits), "--stories", "6", "--out", str(tmp_path / "out"), "--image", "svg"]
    assert main(["intervene", MODEL, *options]) == 0
    statement = capsys.readouterr().out
    assert "clamp_gate in babi-qa1-3: 6 stories" in statement
    assert "placebo: other slots: not possible here" in statement
    table = pd.read_csv(tmp_path / "out" / "intervene.csv")
    accuracy = table[(table["variant"] == "intervention") & (table["measure"] == "accuracy")]
    assert accuracy["change"].item() < -0.5
    assert "<figure " in (tmp_path / "out" / "intervene.html").read_text()
    assert "random vector" in (tmp_path / "out" / "intervene.svg").read_text()


def test_an_effect_on_one_story_has_no_interval_and_no_evidence(capsys):
    assert main(["intervene", MODEL, "--zero", "13", "--stories", "1"]) == 0
    statement = capsys.readouterr().out
    assert "no interval" in statement
    assert "p = 1" in statement


def test_provenance_finds_the_support_beside_chance_and_an_untrained_model(capsys):
    assert main(["provenance", MODEL, "--stories", "6"]) == 0
    controls, first = capsys.readouterr().out.splitlines()[1:3]
    assert controls.startswith("all questions, all supports in the top k and precision at k alike; chance 2")
    assert first.startswith("  written by: 100.0%")
    assert "; untrained " in first


def test_provenance_is_scored_on_other_stories_than_its_weights_were_chosen_on(tmp_path, capsys):
    for name, options in (("default", []), ("other", ["--seed", "1000"])):
        out = ["--out", str(tmp_path / name)]
        assert main(["provenance", MODEL, "--stories", "2", *options, *out]) == 0
    default, other = ((tmp_path / name / "provenance.csv").read_text() for name in ("default", "other"))
    assert default == other


def test_leave_out_says_which_sentences_answers_need_beside_an_untrained_model(tmp_path, capsys):
    assert main(["ablate-sentences", MODEL, "--task", "qa1", "--stories", "4", "--out", str(tmp_path)]) == 0
    statement = capsys.readouterr().out
    assert "20 questions of 4 stories" in statement
    assert statement.count("untrained") == 2
    table = pd.read_csv(tmp_path / "ablate-sentences.csv")
    needed = table.groupby(["is_control", "is_support"])["is_needed"].mean()
    assert needed[False, True] > 0.8
    assert needed[False, False] < 0.1
    assert f"supporting facts that are needed: {needed[False, True]:.1%}" in statement
    assert f"untrained {needed[True, True]:.1%}" in statement


def test_a_model_of_other_words_is_looked_into_with_stories_of_its_own(tmp_path, capsys):
    lm, folder = handmade_lm(), tmp_path / "model"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    expected = handmade_stories(9)
    lines = [
        [*(f"{n} {sentence}" for n, sentence in enumerate(story.sentences, start=1)),
         *(f"{len(story.sentences) + 1} {q.text}\t{q.answer}\t{q.support[0] + 1}" for q in story.questions)]
        for story in expected
    ]  # fmt: skip
    (tmp_path / "own.txt").write_text("\n".join(line for story in lines for line in story) + "\n")
    unedited = ["--task", str(tmp_path / "own.txt"), "--stories", "7"]
    for command in ("provenance", "ablate-sentences", "attribute", "stats"):
        assert main([command, str(folder), *unedited]) == 0
    assert main(["intervene", str(folder), "--zero", str(SLOT_OF["Mary"]), *unedited]) == 0
    statement = capsys.readouterr().out
    assert "7 stories, following copies, 95 % intervals over stories" in statement
    assert "  written by: 100.0%" in statement
    assert "zero in" in statement


def test_lens_says_what_each_slot_holds_and_writes_it(tmp_path, capsys):
    (tmp_path / "story.txt").write_text("Mary went to the garden.\nJohn went to the office.\n")
    asked = ["--story", str(tmp_path / "story.txt"), "--question", "Where is Mary?"]
    assert main(["lens", MODEL, *asked, "--out", str(tmp_path)]) == 0
    first, answer, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("After 2 sentences, ") and "garden (slot 13)" in first
    assert answer.startswith("Where is Mary? garden (")
    table = pd.read_csv(tmp_path / "lens.csv").set_index("slot")
    assert tuple(table.loc[13, ["word", "sentence", "text", "says"]]) == (
        "garden",
        1,
        "Mary went to the garden.",
        True,
    )


def test_a_baseline_has_sentences_left_out_alike(capsys):
    assert main(["ablate-sentences", "babi-qa1-10-llama", "--task", "qa1", "--stories", "2"]) == 0
    assert "babi-qa1-10-llama: 10 questions of 2 stories" in capsys.readouterr().out


def test_provenance_can_be_scored_by_what_the_answers_need(capsys):
    assert main(["provenance", MODEL, "--stories", "3", "--truth", "needed"]) == 0
    first, _, third, *_ = capsys.readouterr().out.splitlines()
    assert "scored against the sentences it needs" in first
    assert "; untrained " in third


def test_map_says_the_effect_of_one_slot_beside_that_of_placebos(capsys):
    assert main(["causal-map", MODEL, "--pairs", "4", "--sentences", "5"]) == 0
    statement = capsys.readouterr().out
    assert "4 pairs (qa1 'place') of 5 sentences, 4 placebos" in statement
    assert statement.count("; placebos ") == 4


def test_map_takes_as_many_sentences_as_the_task_tells(capsys):
    assert main(["causal-map", "babi-qa1-10", "--task", "qa4", "--pairs", "3"]) == 0
    assert "3 pairs (qa4 'place') of 2 sentences, 3 placebos" in capsys.readouterr().out


def test_attribute_prints_how_far_the_parts_miss_the_logits(capsys):
    assert main(["attribute", MODEL, "--stories", "5"]) == 0
    statement = capsys.readouterr().out
    assert "components add up to" in statement
    assert "control: fresh bank" in statement
    assert "integrated gradients" in statement


def test_interchange_says_cause_and_isolation_beside_controls_and_writes_them(tmp_path, capsys):
    options = ["--stories", "16", "--slots", "13", "--donors", "2", "--out", str(tmp_path)]
    assert main(["interchange", MODEL, "--fact", "place of Mary", *options]) == 0
    statement = capsys.readouterr().out
    assert statement.startswith("Slot 13 carries the place of Mary: exchanged between stories, ")
    table = pd.read_csv(tmp_path / "interchange.csv").set_index("condition")
    assert table["interchange"]["these slots"] > 0.5 > table["interchange"]["untrained model"]
    assert table["interchange"]["same answer in the donor"] > 0.9


def test_interchange_finds_a_subspace_and_writes_what_it_does(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lm2viz.causal.subspace_training.N_STEPS", 20)
    options = ["--stories", "24", "--slots", "9", "--subspace", "6", "--out", str(tmp_path)]
    assert main(["interchange", MODEL, "--fact", "place of John", *options]) == 0
    assert "6 dimensions of slot 9 carry the place of John: exchanged" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "subspace.csv").set_index("edit")
    assert table["interchange"]["this subspace"] > 0.5 > table["interchange"]["random subspace"]
    assert table["changed"]["LEACE"] > table["changed"]["nothing erased"] == 0


def test_two_searches_at_once_are_refused(capsys):
    options = ["--fact", "place of Mary", "--search", "--subspace", "2"]
    assert main(["interchange", MODEL, *options]) == 2
    assert "--search and --subspace are two searches; give one" in capsys.readouterr().err


def test_a_memory_is_edited_saved_and_asked_again(tmp_path, capsys):
    story, later, bank = (tmp_path / name for name in ("story.txt", "later.txt", "bank.safetensors"))
    story.write_text("John went to the office.\nSandra moved to the hallway.\n")
    later.write_text("John went to the kitchen.\n")
    options = ["--story", str(story), "--value", "garden", "--stories", "40", "--slots", "9"]
    options += ["--out", str(bank), "--report", str(tmp_path)]
    assert main(["edit-memory", MODEL, "--fact", "place of John", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        "  place of John: office -> garden (garden)",
        "  place of Sandra: hallway -> hallway (hallway)",
    ]
    table = pd.read_csv(tmp_path / "edit-memory.csv").set_index(["edit", "later_sentences"])
    assert table["success"]["transplant", 0] > 0.9 > table["success"]["no edit", 0]
    for options, place in (([], "garden"), (["--story", str(later)], "kitchen")):
        options = [*options, "--question", "Where is John?"]
        assert main(["ask", MODEL, "--memory", str(bank), *options]) == 0
        assert capsys.readouterr().out.splitlines()[0] == place


def test_an_edit_without_a_story_or_without_a_value_is_refused(tmp_path, capsys):
    about = ["edit-memory", MODEL, "--fact", "place of Mary"]
    assert main([*about, "--value", "garden"]) == 2
    assert "--value and --out are about one story; give it with --story FILE" in capsys.readouterr().err
    assert main([*about, "--story", str(tmp_path / "none.txt")]) == 2
    assert "what must the bank say of the place of Mary? Give --value" in capsys.readouterr().err
    assert main(["ask", MODEL, "--question", "Where is Mary?"]) == 2
    assert "give --story FILE, --memory FILE or both" in capsys.readouterr().err
