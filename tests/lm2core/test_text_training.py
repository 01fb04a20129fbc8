"""Training on text: what the run's settings change, and what they must not; no step makes a weight NaN."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pydoc_data.topics import topics

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.architectures import ARCHITECTURES
from lm2core.checkpoints import load_reader
from lm2core.cli import main
from lm2core.config import LM2Config
from lm2core.corpus import open_corpus
from lm2core.model import LM2ForCausalLM
from lm2core.packing import Packer
from lm2core.run_folder import SKIPS_FILE, check_start
from lm2core.run_trainer import MAX_SKIPPED_IN_A_ROW
from lm2core.text_recipe import MODELS, TEXT_PRESETS, TextRecipe
from lm2core.text_tokenizer import n_ids, open_tokenizer
from lm2core.text_training import TextTrainer, train_text
from tests.conftest import ROOT, SIZES

SHORT = TextRecipe(
    model="test",
    vocab_size=300,
    n_segments=3,
    batch_size=4,
    n_steps=6,
    n_warmup_steps=2,
    n_shuffle=5,
    n_eval_blocks=3,
    save_every=2,
    log_every=1,
    eval_every=4,
)


@pytest.fixture(scope="module", autouse=True)
def small_model():
    """The smallest sizes, as a preset's model."""
    MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
    yield
    del MODELS["test"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    """A folder with the first topics of Python's own help."""
    folder = tmp_path_factory.mktemp("text")
    for i, topic in enumerate(sorted(topics)[:20]):
        (folder / f"{i:02}.txt").write_text(topics[topic][:3_000])
    return str(folder)


@pytest.fixture(scope="module")
def straight(text, tmp_path_factory):
    """A run of six steps, with all that it leaves."""
    out = tmp_path_factory.mktemp("run") / "straight"
    model = train_text(replace(SHORT, text=text), out)
    return out, model


def lines(out, name: str = "loss") -> list[float]:
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in logged if name in line]


def same_weights(one, other, **tolerance) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    if tolerance:
        return all(torch.allclose(a, b, **tolerance) for a, b in pairs)
    return all(torch.equal(a, b) for a, b in pairs)


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
    with pytest.raises(ValueError, match="began with accumulate=1, now 2; resume it as it began"):
        train_text(replace(SHORT, text=text, accumulate=2), copy, resume=True)


def test_a_run_is_resumed_only_with_as_many_processes(straight, text, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="began with n_processes=1, now 2"):
        check_start(replace(SHORT, text=text), straight[0], resume=True, last_file=SKIPS_FILE)


def test_a_resumed_run_keeps_its_tokenizer(straight, text, tmp_path, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(straight[0], copy)
    monkeypatch.delattr("lm2core.text_training.train_tokenizer")
    train_text(replace(SHORT, text=text, n_steps=7), copy, resume=True)
    assert len(lines(copy)) == 7


def test_what_training_leaves_opens_as_a_checkpoint(straight):
    out, model = straight
    reader = load_reader(str(out))
    assert same_weights(model, reader.model)
    assert reader.tokenizer.eos_token_id == reader.model.config.eos_token_id == 0
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
    whole = train_text(replace(SHORT, text=text, n_steps=2, weight_decay=0.0), tmp_path / "0")
    assert same_weights(models[3], whole)
    assert not same_weights(models[2], whole)
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
    kept = set(names) - decayed
    assert {n for n in names if "norm" in n or "bias" in n or "embed" in n or "slot_key" in n} == kept


# A planted fault, as (loss) -> loss with that fault: a NaN, and an infinity whose gradient is finite.
FAULTS = {"nan": lambda loss: loss * math.nan, "inf": lambda loss: loss + math.inf}


def plant(monkeypatch, bad_steps, fault, *, part: int = 0) -> list[dict]:
    """Plant a fault in these steps (from 1); the list gets weights and optimizer state before each step."""
    seen: list[dict] = []
    real_loss, real_clip = TextTrainer.compute_loss, TextTrainer._clip_grad_norm

    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = real_loss(self, model, inputs, *args, **kwargs)
        if not model.training:
            return loss
        self.n_parts = getattr(self, "n_parts", -1) + 1
        is_part = self.n_parts % self.args.gradient_accumulation_steps == part
        return fault(loss) if is_part and self.state.global_step + 1 in bad_steps else loss

    def clip(self, model):
        state = self.optimizer.state_dict()["state"]
        flat = {f"{i}.{k}": v.clone() for i, kinds in state.items() for k, v in kinds.items()}
        seen.append({n: p.detach().clone() for n, p in model.named_parameters()} | flat)
        return real_clip(self, model)

    monkeypatch.setattr(TextTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr(TextTrainer, "_clip_grad_norm", clip)
    return seen


def unchanged(before: dict, after: dict) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("part", [0, 1])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(text, tmp_path, monkeypatch, fault, part):
    seen = plant(monkeypatch, {3}, FAULTS[fault], part=part)
    model = train_text(replace(SHORT, text=text, batch_size=2, accumulate=2), tmp_path / "run")
    changed = [not unchanged(before, after) for before, after in zip(seen, seen[1:], strict=False)]
    assert changed == [True, True, False, True, True]
    assert lines(tmp_path / "run", "n_skipped") == [0, 0, 1, 1, 1, 1]
    assert [loss is None for loss in lines(tmp_path / "run")] == [False, False, True, False, False, False]
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_gradient_that_is_not_finite_is_skipped_though_the_loss_is_fine(text, tmp_path, monkeypatch):
    def with_bad_gradient(loss):
        return loss + (loss - loss.detach()).sqrt()  # adds 0, with an infinite slope

    seen = plant(monkeypatch, {2}, with_bad_gradient)
    train_text(replace(SHORT, text=text), tmp_path / "run")
    assert unchanged(seen[1], seen[2])
    assert lines(tmp_path / "run", "n_skipped") == [0, 1, 1, 1, 1, 1]


def test_a_skipped_step_is_left_out_of_the_logged_loss(text, tmp_path, monkeypatch):
    plant(monkeypatch, {1}, FAULTS["nan"])
    train_text(replace(SHORT, text=text, n_steps=3), tmp_path / "each")
    train_text(replace(SHORT, text=text, n_steps=3, log_every=3), tmp_path / "mean")
    _, second, third = lines(tmp_path / "each")
    assert lines(tmp_path / "mean") == [pytest.approx((second + third) / 2)]


def test_ten_steps_in_a_row_stop_training_and_keep_the_newest_checkpoint(text, tmp_path, monkeypatch):
    recipe = replace(SHORT, text=text, n_steps=20)
    last = 3 + MAX_SKIPPED_IN_A_ROW
    with monkeypatch.context() as patch:
        plant(patch, set(range(4, 20)), FAULTS["nan"])
        told = (
            rf"stopped at step {last}: 10 steps in a row were not finite \(loss nan, gradient norm nan\); .*"
        )
        with pytest.raises(ValueError, match=told + rf"newest good checkpoint is .*checkpoint-{last - 1}; "):
            train_text(recipe, tmp_path / "run")
    kept = load_file(tmp_path / "run" / f"checkpoint-{last - 1}" / "model.safetensors")
    assert all(x.isfinite().all() for x in kept.values())
    # Nothing is planted any more: the run goes on from there, and still counts what it skipped.
    model = train_text(recipe, tmp_path / "run", resume=True)
    assert lines(tmp_path / "run", "n_skipped")[-1] == last - 1 - 3
    assert all(p.isfinite().all() for p in model.parameters())


def test_nine_in_a_row_and_one_good_step_go_on(text, tmp_path, monkeypatch):
    plant(monkeypatch, set(range(1, 20)) - {10}, FAULTS["nan"])
    train_text(replace(SHORT, text=text, n_steps=19, save_every=50), tmp_path / "run")
    assert lines(tmp_path / "run", "n_skipped")[-1] == 18


def test_too_little_text_leaves_no_folder_behind(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(ValueError, match="too little text: 0 tokens to train on"):
        train_text(replace(SHORT, text=str(tmp_path / "short.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_given_tokenizer_is_used_and_kept(straight, text, tmp_path):
    tokenizer = open_tokenizer(str(straight[0]))
    tokenizer.add_tokens(["zzz"])
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    recipe = replace(SHORT, text=text, tokenizer=str(tmp_path / "tokenizer"), n_steps=1)
    model = train_text(recipe, tmp_path / "run")
    assert model.config.vocab_size == n_ids(tokenizer) == n_ids(open_tokenizer(str(tmp_path / "run")))


@pytest.fixture(scope="module")
def llama(straight, tmp_path_factory) -> str:
    """A folder with a small Llama and its tokenizer."""
    out, _ = straight
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = open_tokenizer(str(out))
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 8, "intermediate_size": 14, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=n_ids(tokenizer), max_position_embeddings=9, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_llama_gets_a_memory_and_only_that_is_trained_if_asked(llama, text, tmp_path, frozen):
    recipe = replace(SHORT, text=text, llama=llama, memory_slots=5, freeze_backbone=frozen)
    model = train_text(recipe, tmp_path / "run")
    before = load_file(f"{llama}/model.safetensors")
    after = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in before) == frozen
    fresh = LM2ForCausalLM.from_pretrained(llama, memory_slots=5).state_dict()
    values = "model.layers.1.mem.bank_proj.weight"  # zero at first
    assert not torch.equal(after[values], fresh[values])
    assert model.config.memory_slots == load_reader(str(tmp_path / "run")).model.config.memory_slots == 5


OF_A_LLAMA = pytest.mark.parametrize(
    ("changes", "text_of_error"),
    [
        ({"freeze_backbone": True}, "belong to a Llama; name it: --llama FOLDER"),
        ({"memory_slots": 3}, "belong to a Llama"),
        ({"llama": "given"}, "say how large it is to be: --memory-slots N"),
    ],
    ids=["freeze", "slots", "no slots"],
)


def test_a_model_that_is_no_llama_is_not_started_from(straight, text, tmp_path):
    out, _ = straight
    with pytest.raises(ValueError, match="holds a 'lm2' model; --llama takes a Llama's folder or id"):
        train_text(replace(SHORT, text=text, llama=str(out), memory_slots=4), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@OF_A_LLAMA
def test_options_of_a_llama_that_do_not_fit_are_refused(llama, text, tmp_path, changes, text_of_error):
    if "llama" in changes:
        changes = {"llama": llama}
    with pytest.raises(ValueError, match=text_of_error):
        train_text(replace(SHORT, text=text, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


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


def torchrun(*arguments: str, **settings: str) -> None:
    """Two processes on this machine's processor, with these environment variables."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | settings
    done = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_doubled_batch(text, tmp_path):
    """The command itself, over gloo: the same blocks, the same losses, the same weights."""
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3", "--backprop-segments", "2"]
    torchrun("-m", "lm2core", *common, "--out", str(tmp_path / "two"), "--batch", "1", "--accumulate", "2")
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "4"]) == 0
    one, two = (tmp_path / name for name in ("one", "two"))
    assert json.loads((two / "training.json").read_text())["n_processes"] == 2
    for name in ("loss", "eval_loss", "num_input_tokens_seen"):
        assert lines(two, name) == pytest.approx(lines(one, name), rel=1e-5)
    a, b = (load_file(run / "model.safetensors") for run in (one, two))
    assert all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-5) for name in a)


IN_ONE_PROCESS = """
import math, os, sys
from dataclasses import replace
import torch
from lm2core.run_trainer import leave_together
from tests.lm2core.test_text_training import SHORT, MODELS, SIZES, LM2Config, TextTrainer, train_text

MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
real = TextTrainer.compute_loss

def compute_loss(self, model, inputs, *args, **kwargs):
    loss = real(self, model, inputs, *args, **kwargs)
    is_bad = os.environ["RANK"] == "1" and self.state.global_step == 1
    return loss + math.inf if model.training and is_bad else loss  # its gradient is finite

TextTrainer.compute_loss = compute_loss
model = train_text(replace(SHORT, text=sys.argv[1]), sys.argv[2])
torch.save([p.detach() for p in model.parameters()], f"{sys.argv[2]}/rank-{os.environ['RANK']}.pt")
leave_together()
"""


@pytest.mark.slow
def test_processes_skip_a_step_together(text, tmp_path):
    (tmp_path / "script.py").write_text(IN_ONE_PROCESS)
    torchrun(str(tmp_path / "script.py"), text, str(tmp_path / "run"))
    assert lines(tmp_path / "run", "n_skipped") == [0, 1, 1, 1, 1, 1]
    first, second = (torch.load(tmp_path / "run" / f"rank-{i}.pt", weights_only=True) for i in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# accelerate shards a model over GPUs only. Told what kind of run it is, it does so on processors.
SHARDED_ON_A_PROCESSOR = """
import sys
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor
from lm2core.cli import main
from lm2core.text_training import TextTrainer

real_init, real_step = AcceleratorState.__init__, TextTrainer.training_step

def init(self, *args, **kwargs):
    real_init(self, *args, **kwargs)
    self.fsdp_plugin = kwargs.get("fsdp_plugin") or self._shared_state.get("fsdp_plugin")
    if self.fsdp_plugin is not None:
        self.distributed_type = DistributedType.FSDP

def step(self, model, *args, **kwargs):
    assert all(isinstance(p.data, DTensor) for p in model.parameters())
    return real_step(self, model, *args, **kwargs)

AcceleratorState.__init__, TextTrainer.training_step = init, step
sys.exit(main())
"""
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaMLP,LM2Attention",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


@pytest.mark.slow
def test_a_model_sharded_over_processes_is_trained_and_saved_as_a_whole_one(text, tmp_path):
    """FSDP, over gloo: what is left opens as a checkpoint, with the weights of one process."""
    (tmp_path / "script.py").write_text(SHARDED_ON_A_PROCESSOR)
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3"]
    torchrun(str(tmp_path / "script.py"), *common, "--out", str(tmp_path / "two"), "--batch", "1", **FSDP)
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "2"]) == 0
    one, two = (load_reader(str(tmp_path / name)).model for name in ("one", "two"))
    assert same_weights(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TEXT_PRESETS)
def test_every_preset_has_segments_that_read_what_was_written(name):
    recipe = TEXT_PRESETS[name]
    assert recipe.n_segments > 1
    assert recipe.backprop_segments != 1
    assert MODELS[recipe.model](vocab_size=8).segment_length == {"text-tiny": 64, "base": 512}.get(
        name, 2_048
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
def test_a_baseline_is_trained_on_text_with_checkpointing_and_resumed(architecture, text, tmp_path):
    recipe = replace(SHORT, text=text, architecture=architecture, checkpointing=True)
    model = train_text(recipe, tmp_path / "run")
    plain = train_text(replace(recipe, checkpointing=False), tmp_path / "plain")
    assert same_weights(model, plain, rtol=0, atol=1e-5)
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    assert same_weights(model, train_text(recipe, tmp_path / "run", resume=True))
    first, last = lines(tmp_path / "plain", "eval_loss")
    assert last < first


def test_backpropagation_is_cut_where_a_memory_is_handed_on_only(text, tmp_path):
    recipe = replace(SHORT, text=text, backprop_segments=1, n_steps=2)
    train_text(replace(recipe, architecture="rmt"), tmp_path / "rmt")
    with pytest.raises(ValueError, match="llama-full has no memory to cut gradients at; leave out"):
        train_text(replace(recipe, architecture="llama-full"), tmp_path / "full")


def test_a_llama_gets_an_lm2_s_memory_only(text, tmp_path):
    with pytest.raises(ValueError, match="--llama gives a Llama an LM2's memory, not rmt"):
        train_text(
            replace(SHORT, text=text, llama="some/llama", tokenizer="", architecture="rmt"), tmp_path / "r"
        )
