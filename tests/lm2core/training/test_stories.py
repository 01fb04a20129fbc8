"""Training: the same seed gives the same loss, a resumed run is the run, a cut-off one is not lost."""

import json
import math
import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import ARCHITECTURES
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.checkpoints import load
from lm2core.text.tokenizer import word_tokenizer
from lm2core.training.batches import Stage, StorySource
from lm2core.training.curriculum import MIN_STEPS, Curriculum
from lm2core.training.recipe import Recipe
from lm2core.training.run_folder import SKIPS_FILE, STAGE_FILE, complete_checkpoints, report_full_disk
from lm2core.training.stages import stages_for
from lm2core.training.stories import StoryTrainer, batch_logits, train
from lm2core.training.story_batch import StoryBatch
from lm2core.training.trainer import COMPILED_VARIABLE, compile_for_training
from tests.conftest import make_model

SHORT = Recipe(n_steps=6, n_stories=4, save_every=2, log_every=1)
EVEN = {"qa1": 1.0, "qa2": 1.0, "qa3": 1.0}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run of six steps, with all that it leaves."""
    out = tmp_path_factory.mktemp("run") / "straight"
    model = train(SHORT, out)
    return out, model


@pytest.fixture
def source() -> StorySource:
    return StorySource(
        word_tokenizer(babi_words(("qa1", "qa2", "qa3"))), n_stories=3, questions_per_sentence=1.5, seed=0
    )


def losses(out) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_the_same_seed_gives_the_same_loss_to_the_last_digit(straight, tmp_path):
    train(SHORT, tmp_path / "again")
    assert losses(tmp_path / "again") == losses(straight[0])
    train(replace(SHORT, seed=1), tmp_path / "other")
    assert losses(tmp_path / "other") != losses(straight[0])


@pytest.mark.parametrize("cut_short", [False, True], ids=["stopped", "killed while saving"])
def test_a_resumed_run_ends_as_the_straight_one(straight, tmp_path, cut_short):
    out, model = straight
    copy = tmp_path / "resumed"
    shutil.copytree(out, copy)
    last, before = copy / "checkpoint-6", copy / "checkpoint-4"
    if cut_short:
        (last / STAGE_FILE).unlink()
        (last / "model.safetensors").write_bytes(b"half")
    else:
        shutil.rmtree(last)
    assert (before / STAGE_FILE).is_file()
    again = train(SHORT, copy, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert losses(copy) == losses(out)


def test_what_training_leaves_opens_as_a_checkpoint(straight):
    out, model = straight
    lm = load(str(out))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), lm.model.parameters(), strict=True))
    assert json.loads((out / "training.json").read_text())["n_steps"] == 6


def test_every_checkpoint_opens_like_the_trained_model_and_all_are_kept_when_asked(straight, tmp_path):
    out, model = straight
    assert list(complete_checkpoints(out)) == [4, 6]
    last = load(str(out / "checkpoint-6"))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), last.model.parameters(), strict=True))
    train(replace(SHORT, keep_all=True), tmp_path / "all")
    assert list(complete_checkpoints(tmp_path / "all")) == [2, 4, 6]
    assert losses(tmp_path / "all") == losses(out)
    with pytest.raises(
        ValueError, match="was started with keep_all=True, not False; resume it with the original"
    ):
        train(SHORT, tmp_path / "all", resume=True)
    for file in (tmp_path / "all" / "checkpoint-2").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ValueError, match=r"checkpoint-2 has no tokenizer; copy the tokenizer\* files"):
        load(str(tmp_path / "all" / "checkpoint-2"))


def test_a_folder_with_something_in_it_is_not_overwritten(straight):
    with pytest.raises(
        ValueError, match="is not empty; choose another folder, or resume its run with --resume"
    ):
        train(SHORT, straight[0])


def test_an_unknown_task_leaves_no_folder_behind(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'qa99'"):
        train(replace(SHORT, tasks=("qa1", "qa99")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(ValueError, match="nothing to resume"):
        train(SHORT, tmp_path, resume=True)


def test_a_run_is_resumed_only_as_it_began(straight, tmp_path):
    """Another seed would end as neither run; more steps are more of the same."""
    copy = tmp_path / "run"
    shutil.copytree(straight[0], copy)
    with pytest.raises(ValueError, match="was started with seed=0, not 5; resume it with the original"):
        train(replace(SHORT, seed=5), copy, resume=True)
    train(replace(SHORT, n_steps=7), copy, resume=True)
    assert len(losses(copy)) == 7


def test_metrics_cut_short_by_a_kill_do_not_stop_a_resume(straight, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(straight[0], copy)
    metrics = copy / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-30])
    shutil.rmtree(copy / "checkpoint-6")
    train(SHORT, copy, resume=True)
    assert losses(copy) == losses(straight[0])


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write to .*file/run: Not a directory"):
        train(SHORT, tmp_path / "file" / "run")


def test_a_full_disk_while_saving_is_told_and_the_run_goes_on_later(straight, tmp_path, monkeypatch):
    """The third checkpoint cannot be written; with room again, --resume ends as the straight run."""
    from safetensors import SafetensorError

    real_save, n_saved = LM2ForCausalLM.save_pretrained, []

    def full_at_third(self, *args, **kwargs):
        n_saved.append(args)
        if len(n_saved) == 3:
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        return real_save(self, *args, **kwargs)

    monkeypatch.setattr(LM2ForCausalLM, "save_pretrained", full_at_third)
    with pytest.raises(ValueError, match="No space left on device.*; free some space, then use --resume"):
        train(SHORT, tmp_path / "run")
    again = train(SHORT, tmp_path / "run", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(straight[1].parameters(), again.parameters(), strict=True))


def test_a_write_that_fails_without_a_word_is_told_by_its_kind(tmp_path):
    with (
        pytest.raises(ValueError, match="cannot write to .*: OSError; free some"),
        report_full_disk(tmp_path),
    ):
        raise OSError
    with pytest.raises(RuntimeError), report_full_disk(tmp_path):
        raise RuntimeError


def test_a_user_s_copy_of_a_checkpoint_is_not_one_of_the_run(tmp_path):
    for name in ("checkpoint-best", "checkpoint-20", "checkpoint-3", "checkpoint-3-copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / SKIPS_FILE).write_text("{}")
    result = {3: tmp_path / "checkpoint-3", 20: tmp_path / "checkpoint-20"}
    assert list(complete_checkpoints(tmp_path).items()) == list(result.items())


def plant_nan(monkeypatch, bad_steps) -> None:
    """Make the loss of these steps (from 1) NaN."""
    real = StoryTrainer.compute_loss

    def compute_loss(self, *args, **kwargs):
        return real(self, *args, **kwargs) * (math.nan if self.state.global_step + 1 in bad_steps else 1.0)

    monkeypatch.setattr(StoryTrainer, "compute_loss", compute_loss)


def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path, monkeypatch):
    plant_nan(monkeypatch, {2, 3})
    model = train(SHORT, tmp_path / "run")
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["n_skipped"] for line in logged] == [0, 1, 2, 2, 2, 2]
    assert [line["loss"] is None for line in logged] == [False, True, True, False, False, False]
    assert all(p.isfinite().all() for p in model.parameters())
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    again = train(SHORT, tmp_path / "run", resume=True)  # goes on after step 4, and still counts both
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["n_skipped"] == 2


def test_ten_such_steps_in_a_row_stop_training_with_a_good_checkpoint(tmp_path, monkeypatch):
    plant_nan(monkeypatch, set(range(3, 20)))
    with pytest.raises(ValueError, match=r"stopped at step 12: 10 steps in a row .*checkpoint-10; train in"):
        train(replace(SHORT, n_steps=20), tmp_path / "run")
    two, ten = (load_file(tmp_path / "run" / f"checkpoint-{i}" / "model.safetensors") for i in (8, 10))
    assert all(torch.equal(two[name], ten[name]) for name in ten)
    assert all(x.isfinite().all() for x in ten.values())


def test_a_run_shorter_than_its_log_s_interval_is_logged_at_its_end(tmp_path):
    train(replace(SHORT, n_steps=2, log_every=50), tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 1


def test_what_is_compiled_is_kept_in_the_cache_unless_torch_was_told_where(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(
        LM2ForCausalLM, "compile_segments", lambda self: kept.append(os.environ[COMPILED_VARIABLE])
    )
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(COMPILED_VARIABLE, "elsewhere")
    compile_for_training(make_model())
    monkeypatch.delenv(COMPILED_VARIABLE)
    train(replace(SHORT, n_steps=1, compile=True), tmp_path / "run")
    assert kept == ["elsewhere", str(tmp_path / "cache" / "compiled")]


def test_a_stage_is_left_only_when_every_task_is_mastered():
    curriculum = Curriculum([Stage(("qa1", "qa2"), 3), Stage(("qa1", "qa2"), 6)])
    for _ in range(300):
        curriculum.record({"qa1": 1.0, "qa2": 0.5})
    assert curriculum.index == 0
    assert curriculum.weights["qa2"] > 10 * curriculum.weights["qa1"]
    for _ in range(60):
        curriculum.record({"qa1": 1.0, "qa2": 1.0})
    assert curriculum.index == 1
    for _ in range(MIN_STEPS * 3):
        curriculum.record({"qa1": 1.0, "qa2": 1.0})
    assert curriculum.index == 1  # the last stage does not end


def test_a_stage_of_given_length_is_left_mastered_or_not():
    curriculum = Curriculum(stages_for(("qa1",)), (2, 3))
    seen = []
    for _ in range(7):
        seen.append(curriculum.index)
        curriculum.record({"qa1": 0.0})
    assert seen == [0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("steps", [(2,), (2, 3, 4), (2, 0)])
def test_stages_need_a_length_each_but_the_last(steps):
    with pytest.raises(
        ValueError, match="does not fit 3 stages; give a number of steps, 1 or more, for each stage"
    ):
        Curriculum(stages_for(("qa1",)), steps)


def test_a_curriculum_of_a_version_without_a_field_goes_on(tmp_path):
    """What the field is by default is what that version did."""
    file, curriculum = tmp_path / "c.json", Curriculum(stages_for(("qa1", "qa2")))
    curriculum.save(file)
    state = json.loads(file.read_text())
    del state["stage"]["least_noise"]
    file.write_text(json.dumps(state))
    curriculum.restore(file)
    state["stage"]["noise"] = 0.3
    file.write_text(json.dumps(state))
    with pytest.raises(ValueError, match=r"stage 0 is .*, was .*0.3"):
        curriculum.restore(file)


def test_a_curriculum_comes_back_from_its_file(tmp_path):
    curriculum = Curriculum(stages_for(("qa1", "qa2")))
    for _ in range(MIN_STEPS + 5):
        curriculum.record({"qa1": 1.0})
    curriculum.save(tmp_path / "c.json")
    again = Curriculum(stages_for(("qa1", "qa2")))
    again.restore(tmp_path / "c.json")
    assert again == curriculum
    assert again.index == 1
    other = Curriculum([Stage(("qa1", "qa2"), 3), Stage(("qa1", "qa2"), 7)])
    with pytest.raises(ValueError, match="stage 1 is .*'n_sentences': 7.*, was .*'n_sentences': 6"):
        other.restore(tmp_path / "c.json")


def test_reading_the_first_part_without_gradient_changes_no_answer(source):
    """Stories split into 'before' and 'story' give the logits of the undivided story."""
    batch = source.batch(5, Stage(("qa2",), 6, n_before=9), {"qa2": 1.0})
    assert batch.before_ids.shape[1] > 0
    overall = replace(
        batch,
        before_ids=batch.before_ids[:, :0],
        story_ids=torch.cat([batch.before_ids, batch.story_ids], 1),
        segment=batch.segment + batch.before_ids.shape[1],
    )
    model = make_model(vocab_size=39)
    with torch.no_grad():
        assert torch.equal(batch_logits(model, batch), batch_logits(model, overall))


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
def test_a_baseline_is_trained_and_resumed_like_an_lm2(architecture, tmp_path):
    recipe = replace(SHORT, architecture=architecture)
    model = train(recipe, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "training.json").read_text())["architecture"] == architecture
    lm = load(str(tmp_path / "run"), baselines=True)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), lm.model.parameters(), strict=True))
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    again = train(recipe, tmp_path / "run", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_baseline_sees_the_batches_that_the_lm2_sees(tmp_path, monkeypatch):
    """Before anything is learnt the curriculum stands at one place: then the stories are the same."""
    seen: dict[str, list[StoryBatch]] = {}
    real = StorySource.batch
    for name in ("lm2", "llama-full"):
        seen[name] = []
        monkeypatch.setattr(StorySource, "batch", lambda *a, to=seen[name]: to.append(real(*a)) or to[-1])
        train(replace(SHORT, n_steps=1, architecture=name), tmp_path / name)
    assert torch.equal(seen["lm2"][0].story_ids, seen["llama-full"][0].story_ids)
    assert torch.equal(seen["lm2"][0].question_ids, seen["llama-full"][0].question_ids)


def test_a_run_from_before_there_were_baselines_is_an_lm2_s(tmp_path):
    """Its recipe names no architecture; another one is refused and leaves the folder as it was."""
    out = tmp_path / "run"
    train(SHORT, out)
    recipe = json.loads((out / "training.json").read_text())
    del recipe["architecture"]
    (out / "training.json").write_text(json.dumps(recipe))
    with pytest.raises(ValueError, match="was started with architecture=lm2, not rmt"):
        train(replace(SHORT, architecture="rmt", n_steps=8), out, resume=True)
    train(replace(SHORT, n_steps=8), out, resume=True)


def test_an_unknown_architecture_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="unknown architecture 'gru'; known: lm2, rmt"):
        train(replace(SHORT, architecture="gru"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
