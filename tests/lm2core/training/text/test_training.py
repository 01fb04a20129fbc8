"""Training on text: what the run's settings change, and what they must not."""

import json
import math
import shutil
from collections import Counter
from dataclasses import replace
from pydoc_data.topics import topics

import pytest
import torch

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.checkpoints import load
from lm2core.text.bpe import n_ids, open_tokenizer
from lm2core.text.corpus import open_corpus
from lm2core.text.packing import Packer
from lm2core.training.run_folder import SKIPS_FILE, check_start
from lm2core.training.text import TextTrainer, train_text
from tests.conftest import SIZES
from tests.lm2core.training.text.runs import SHORT, lines, same_weights


def test_the_same_seed_gives_the_same_loss_to_the_last_digit(straight, text, tmp_path):
    model = train_text(replace(SHORT, text=text), tmp_path / "again")
    assert lines(tmp_path / "again") == lines(straight[0])
    assert same_weights(model, straight[1])
    train_text(replace(SHORT, text=text, seed=1), tmp_path / "other")
    assert lines(tmp_path / "other")[0] != lines(straight[0])[0]


@pytest.mark.parametrize("cut_short", [False, True], ids=["stopped", "killed while saving"])
def test_a_resumed_run_ends_as_the_straight_one(text, tmp_path, cut_short):
    recipe = replace(SHORT, text=text, accumulate=2, batch_size=2)
    model = train_text(recipe, tmp_path / "straight")
    copy = tmp_path / "resumed"
    shutil.copytree(tmp_path / "straight", copy)
    if cut_short:
        (copy / "checkpoint-6" / SKIPS_FILE).unlink()
        (copy / "checkpoint-6" / "model.safetensors").write_bytes(b"half")
    else:
        shutil.rmtree(copy / "checkpoint-6")
    again = train_text(recipe, copy, resume=True)
    assert same_weights(model, again)
    for name in ("loss", "eval_loss", "num_input_tokens_seen"):
        assert lines(copy, name) == lines(tmp_path / "straight", name)


def test_a_run_is_resumed_only_as_it_began(straight, text, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(straight[0], copy)
    with pytest.raises(ValueError, match="was started with accumulate=1, not 2; resume it with"):
        train_text(replace(SHORT, text=text, accumulate=2), copy, resume=True)


def test_a_run_is_resumed_only_with_as_many_processes(straight, text, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="was started with n_processes=1, not 2"):
        check_start(replace(SHORT, text=text), straight[0], resume=True, last_file=SKIPS_FILE)


def test_a_resumed_run_keeps_its_tokenizer(straight, text, tmp_path, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(straight[0], copy)
    monkeypatch.delattr("lm2core.training.text.train_tokenizer")
    train_text(replace(SHORT, text=text, n_steps=7), copy, resume=True)
    assert len(lines(copy)) == 7


def test_what_training_leaves_opens_as_a_checkpoint(straight):
    out, model = straight
    lm = load(str(out))
    assert same_weights(model, lm.model)
    assert lm.tokenizer.eos_token_id == lm.model.config.eos_token_id == 0
    assert json.loads((out / "training.json").read_text())["n_segments"] == SHORT.n_segments


def test_metrics_say_tokens_seen_and_what_held_out_text_costs(straight):
    out, _ = straight
    block = SHORT.n_segments * SIZES["segment_length"]
    assert lines(out, "num_input_tokens_seen")[:2] == [SHORT.batch_size * block, 2 * SHORT.batch_size * block]
    assert len(lines(out, "eval_loss")) == 2  # at step 4, and at the end
    for loss, perplexity in zip(lines(out, "eval_loss"), lines(out, "eval_perplexity"), strict=True):
        assert perplexity == pytest.approx(math.exp(loss))


def test_the_evaluation_loss_is_that_of_the_held_out_text(straight, text):
    out, model = straight
    tokenizer = open_tokenizer(str(out))
    block = SHORT.n_segments * SIZES["segment_length"]
    packer = Packer(
        corpus=open_corpus(text), tokenizer=tokenizer, block_length=block, held_out_every=SHORT.held_out_every
    )
    ids = torch.stack([x["input_ids"] for x in packer.held_out_blocks(SHORT.n_eval_blocks)])
    with torch.no_grad():
        assert lines(out, "eval_loss")[-1] == pytest.approx(float(model(ids, labels=ids).loss), rel=1e-5)


def test_two_parts_of_a_step_equal_one_of_twice_the_size(straight, text, tmp_path):
    model = train_text(replace(SHORT, text=text, batch_size=2, accumulate=2), tmp_path / "run")
    assert lines(tmp_path / "run") == pytest.approx(lines(straight[0]), rel=1e-5)
    assert same_weights(model, straight[1], rtol=1e-4, atol=1e-5)


def test_bf16_is_on_and_close(straight, text, tmp_path):
    model = train_text(replace(SHORT, text=text, bf16=True), tmp_path / "run")
    assert lines(tmp_path / "run") != lines(straight[0])
    assert lines(tmp_path / "run") == pytest.approx(lines(straight[0]), rel=2e-2)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_checkpointing_is_on_and_changes_no_gradient(straight, text, tmp_path):
    model = train_text(replace(SHORT, text=text, checkpointing=True), tmp_path / "run")
    assert model.is_activation_checkpointing
    assert same_weights(model, straight[1], rtol=1e-5, atol=1e-6)


def test_truncated_backpropagation_keeps_the_first_loss_and_changes_the_step(straight, text, tmp_path):
    """Through one segment only, no write has a gradient; through all three, every one has."""
    models = {}
    for k in (1, 2, 3):
        recipe = replace(SHORT, text=text, backprop_segments=k, n_steps=2, weight_decay=0.0)
        models[k] = train_text(recipe, tmp_path / str(k))
        assert lines(tmp_path / str(k))[0] == pytest.approx(lines(straight[0])[0], rel=1e-6)
    overall = train_text(replace(SHORT, text=text, n_steps=2, weight_decay=0.0), tmp_path / "0")
    assert same_weights(models[3], overall)
    assert not same_weights(models[2], overall)
    has_moved = {k: any(bias.std() > 0 for bias in forget_biases(model)) for k, model in models.items()}
    assert has_moved == {1: False, 2: True, 3: True}  # they all begin alike


def forget_biases(model):
    return [block.mem.gate_forget.bias.detach() for block in model.model.blocks()]


def test_compile_reaches_the_model(text, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(LM2ForCausalLM, "compile_segments", lambda self: compiled.append(self))
    train_text(replace(SHORT, text=text, n_steps=1), tmp_path / "plain")
    assert not compiled
    model = train_text(replace(SHORT, text=text, n_steps=1, compile=True), tmp_path / "compiled")
    assert compiled == [model]


def test_only_matrices_of_linear_layers_decay(straight, tmp_path):
    _, model = straight
    decayed = set(TextTrainer.get_decay_parameter_names(None, model))
    names = dict(model.named_parameters())
    assert decayed <= set(names)
    assert {n for n in decayed if names[n].ndim != 2} == set()
    remaining = set(names) - decayed
    assert {n for n in names if "norm" in n or "bias" in n or "embed" in n or "slot_key" in n} == remaining


def test_too_little_text_leaves_no_folder_behind(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(ValueError, match="too little text: 0 tokens for training"):
        train_text(replace(SHORT, text=str(tmp_path / "short.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_text_that_goes_away_while_training_is_not_taken_for_a_full_disk(text, tmp_path, monkeypatch):
    """Its file is deleted in the first pass; the next one cannot begin."""
    folder = tmp_path / "text"
    shutil.copytree(text, folder)
    real = TextTrainer.training_step

    def training_step(self, *args, **kwargs):
        shutil.rmtree(folder, ignore_errors=True)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(TextTrainer, "training_step", training_step)
    with pytest.raises(ValueError, match=r"cannot read .*\.txt: No such file or directory; restore"):
        train_text(replace(SHORT, text=str(folder), n_steps=2_000, save_every=5_000), tmp_path / "run")


@pytest.mark.slow
def test_loss_on_held_out_text_falls_below_what_word_counts_can_reach(tmp_path):
    """The floor: every token by its frequency in the training share, whatever came before it."""
    (tmp_path / "help.txt").write_text("\n".join(topics.values()))
    recipe = replace(SHORT, text=str(tmp_path / "help.txt"), n_steps=150, batch_size=8, save_every=500)
    recipe = replace(recipe, vocab_size=600, n_segments=8, learning_rate=1e-2, log_every=50)
    train_text(recipe, tmp_path / "run")
    tokenizer = open_tokenizer(str(tmp_path / "run"))
    packer = Packer(
        corpus=open_corpus(recipe.text),
        tokenizer=tokenizer,
        block_length=8 * SIZES["segment_length"],
        held_out_every=recipe.held_out_every,
    )
    counts = Counter(i for ids in packer.ids(held_out=False) for i in ids)
    total = counts.total() + n_ids(tokenizer)
    held_out = torch.cat([x["input_ids"][1:] for x in packer.held_out_blocks(recipe.n_eval_blocks)]).tolist()
    floor = -sum(math.log((counts[i] + 1) / total) for i in held_out) / len(held_out)
    assert lines(tmp_path / "run", "eval_loss")[-1] < floor - 0.2
