"""Checkpoints of the public code become models here."""

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lm2core.cli.main import main
from lm2core.reference.causal_lm import ReferenceForCausalLM
from lm2core.reference.convert import convert_reference
from tests.lm2core.reference.small import B, N, make_ids, make_model, public_weights, random


def opened(out) -> ReferenceForCausalLM:
    model, report = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return model


def assert_same_model(ours, theirs):
    with torch.no_grad():
        a, b = ours(make_ids()), theirs(make_ids())
    assert torch.equal(a.logits, b.logits)
    assert torch.equal(a.memory, b.memory)


def test_golden_checkpoint_gives_the_recorded_logits_losses_and_banks(golden_dir, given):
    golden = golden_dir / "reference_model_2_layers.safetensors"
    recorded = load_file(golden)
    with safe_open(golden, "pt") as file:
        sizes = file.metadata()  # all of them text
    args = given({k[2:]: v for k, v in recorded.items() if k.startswith("w.")}, sizes=sizes)
    convert_reference(*args)
    model, bank = opened(args[2]), torch.eye(32).expand(2, 32, 32)
    for call in "12":
        with torch.no_grad():
            out = model(recorded[f"ids{call}"], memory=bank)
        bank = out.memory
        loss = F.cross_entropy(out.logits.flatten(0, 1), recorded["targets"].flatten())  # not shifted
        torch.testing.assert_close(out.logits, recorded[f"logits{call}"], rtol=0, atol=1e-5)
        torch.testing.assert_close(bank, recorded[f"bank{call}"], rtol=0, atol=1e-5)
        torch.testing.assert_close(loss[None], recorded[f"loss{call}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("names", ["first", "second", "both"])
@pytest.mark.parametrize("file", ["ckpt.safetensors", "ckpt.pth"])
def test_either_name_of_a_doubled_tensor_will_do(given, names, file):
    model = make_model()
    args = given(public_weights(model, names=names), file=file)
    assert convert_reference(*args) == [
        f"{args[1]} does not give all values; assumed: "
        "rope_scaling=None, hidden_act=silu, tie_word_embeddings=False, "
        "max_position_embeddings=2048"
    ]
    assert sorted(path.name for path in args[2].iterdir()) == ["config.json", "model.safetensors"]
    assert_same_model(opened(args[2]), model)


def test_a_training_checkpoint_opens_and_shared_tensors_do_not_disturb(given):
    model, rng = make_model(), torch.get_rng_state()
    model.lm_head.weight = model.model.embed_tokens.weight
    weights = public_weights(model, names="first")
    for name in list(weights):
        weights[name.replace("mlp.0.", "mlp.1.")] = weights[name]  # one storage, as the public code saves
    state = {"iteration": 3, "model_state_dict": weights, "loss": 2.5, "torch_random_state": rng}
    args = given(state, file="ckpt_iter_3.pth")
    convert_reference(*args)
    assert_same_model(opened(args[2]), model)


def test_half_precision_weights_are_kept_exactly_in_float32(given):
    model = make_model().bfloat16().float()
    half = {name: value.bfloat16() for name, value in public_weights(model).items()}
    args = given(half)
    convert_reference(*args)
    assert opened(args[2]).dtype == torch.float32
    assert_same_model(opened(args[2]), model)


def test_tied_embeddings_come_with_either_name(given):
    model = make_model(tie_word_embeddings=True)
    weights = public_weights(model)
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        args = given({k: v for k, v in weights.items() if k != name}, tie_word_embeddings="True")
        convert_reference(*args[:2], args[2] / name)
        assert_same_model(opened(args[2] / name), model)


def test_rotary_scaling_reaches_the_model(given):
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling["original_max_position_embeddings"] = 8
    args = given(rope_scaling=scaling, max_position_embeddings=64, rope_theta="500000.0")
    convert_reference(*args)
    assert opened(args[2]).config.rope_parameters == scaling | {"rope_theta": 500000.0}


def test_a_stored_bank_is_the_start_if_all_its_texts_agree(given):
    bank = random(N, N)
    args = given(public_weights(make_model()) | {"memory_bank": bank.expand(5, N, N).contiguous()})
    convert_reference(*args)
    assert torch.equal(opened(args[2]).memory_bank, bank)


@pytest.mark.parametrize(
    ("bank", "note"),
    [(random(B, N, N), "memory_bank differs between its 3 texts"), (None, "has no memory_bank")],
)
def test_without_one_stored_bank_texts_start_from_the_identity_and_a_note_says_so(given, bank, note):
    weights = public_weights(make_model()) | {"memory_bank": bank}
    args = given({name: value for name, value in weights.items() if value is not None})
    notes = convert_reference(*args)
    assert note in notes[-1] and notes[-1].endswith("texts start from the identity")
    assert torch.equal(opened(args[2]).memory_bank, torch.eye(N))


def test_the_command_converts_and_refuses_in_one_line(given, capsys):
    file, sizes, out = map(str, given())
    assert main(["convert", "reference", file, "--config", sizes, "--out", out]) == 0
    assert f"written: {out}" in capsys.readouterr().out
    assert main(["convert", "reference", file, "--config", sizes, "--out", out]) == 2
    assert capsys.readouterr().err == f"lm2: {out} is not an empty folder; choose another\n"
