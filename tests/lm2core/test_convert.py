"""Checkpoints of the public code become models here, or are refused in one line with nothing written."""

import json
import pickle

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from lm2core import convert
from lm2core.cli import main
from lm2core.convert import convert_reference
from lm2core.reference import ReferenceForCausalLM
from tests.lm2core.test_reference import SIZES, B, N, V, golden_dir, make_ids, make_model, random

__all__ = ["golden_dir"]  # a fixture

TOLD = SIZES | {"num_mem_heads": SIZES["memory_heads"], "rms_norm_eps": 1e-6, "rope_theta": 10000.0}
del TOLD["memory_heads"]


def public_weights(model: ReferenceForCausalLM, *, names: str = "both") -> dict[str, torch.Tensor]:
    """The weights as the public code names them: doubled tensors under the ``first``, ``second`` or both."""
    weights = dict(model.state_dict())
    weights["memory_bank"] = torch.eye(N).expand(B, N, N).contiguous()
    for name in list(weights):
        second = name.replace(".self_attn.", ".mem_attn.self_attn.").replace("mlp.0.", "mlp.1.")
        if second != name and names != "first":
            weights[second] = weights[name].clone()
        if second != name and names == "second":
            del weights[name]
    return weights


@pytest.fixture
def given(tmp_path):
    """Write a checkpoint and its sizes as they are or changed; returns the arguments of the conversion."""

    def write(weights=None, *, file="ckpt.safetensors", sizes=None, **changed):
        weights = public_weights(make_model()) if weights is None else weights
        if file.endswith(".safetensors"):
            save_file(weights, tmp_path / file)
        else:
            torch.save(weights, tmp_path / file)
        told = TOLD if sizes is None else sizes
        (tmp_path / "sizes.json").write_text(json.dumps(told | changed))
        return tmp_path / file, tmp_path / "sizes.json", tmp_path / "out"

    return write


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
        f"{args[1]} does not say, so taken: rope_scaling=None, hidden_act=silu, tie_word_embeddings=False, "
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


BLOCK = "model.layers.1."
MEMORY = f"{BLOCK}mem_attn.memory_module."


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {f"{BLOCK}mem_attn.self_attn.q_proj.weight": torch.zeros(N, N)},
            r"layers\.1\.mem_attn\.self_attn\.q_proj\.weight and model\.layers\.1\.self_attn\.q_proj\.weight",
        ),
        ({f"{MEMORY}attention_mlp.1.bias": torch.zeros(N)}, r"attention_mlp\.1\.bias and .*mlp\.0\.bias;"),
        ({f"{MEMORY}input_bias": None}, rf"missing: {MEMORY}input_bias\)"),
        ({"extra": torch.zeros(1)}, r"\(unexpected: extra\)"),
        (
            {"lm_head.weight": torch.zeros(V, N + 1)},
            r"wrong shape: lm_head.weight is \(17, 9\), must be \(17, 8\)",
        ),
        ({"memory_bank": torch.zeros(B, N, N + 1)}, r"is \(3, 8, 9\), must be \(B, 8, 8\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(given, changes, text):
    weights = public_weights(make_model()) | changes
    args = given({name: value for name, value in weights.items() if value is not None})
    with pytest.raises(ValueError, match=text):
        convert_reference(*args)
    assert not args[2].exists()


def test_of_many_wrong_names_the_first_few_are_told_and_the_rest_counted(given):
    args = given({f"module.{name}": value for name, value in public_weights(make_model()).items()})
    text = r"missing: model\.embed_tokens\.weight, .* more; unexpected: module\.\S+, \S+, \S+ and \d+ more\)$"
    with pytest.raises(ValueError, match=text):
        convert_reference(*args)


def test_an_lm2_of_this_project_needs_no_conversion(given):
    weights = {
        "model.embed_tokens.weight": torch.zeros(3, 4),
        "model.layers.0.mem.slot_key": torch.zeros(2, 4),
    }
    with pytest.raises(ValueError, match="is an LM2 of this project; it needs no conversion"):
        convert_reference(*given(weights))


def test_a_plain_llama_is_told_how_to_be_opened(given):
    weights = {name: value for name, value in public_weights(make_model()).items() if "mem" not in name}
    args = given(weights, sizes={})
    with pytest.raises(
        ValueError, match=r"no memory.*LM2ForCausalLM\.from_pretrained\(FOLDER, memory_slots="
    ):
        convert_reference(*args)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"memory_slots": 6}, "memory_slots=6 must equal hidden_size=8"),
        ({"num_mem_heads": "3"}, "memory_heads=3 must divide hidden_size=8"),
        ({"num_mem_heads": "two"}, "num_mem_heads must be a whole number, got 'two'"),
        ({"vocab_size": 17.5}, "vocab_size must be a whole number, got 17.5"),
        ({"rope_theta": 0}, "rope_theta must be a number above 0, got 0"),
        ({"tie_word_embeddings": "maybe"}, "tie_word_embeddings must be true or false, got 'maybe'"),
        ({"rope_scaling": 8}, "rope_scaling must be null or an object as in a Llama's config, got 8"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rope_scaling has a wrong or missing entry: 'factor'"),
        (
            {"rope_scaling": {"rope_type": "nope"}},
            "rope_scaling has a wrong or missing entry: 'nope'",
        ),
        ({"n_embd": 8}, "unknown n_embd; known: vocab_size, "),
        ({"hidden_act": "nope"}, "hidden_act='nope' is not an activation"),
    ],
)
def test_sizes_that_cannot_work_are_refused_with_what_was_got(given, changed, text):
    args = given(**changed)
    with pytest.raises(ValueError, match=text):
        convert_reference(*args)
    assert not args[2].exists()


@pytest.mark.parametrize("name", ["num_mem_heads", "num_attention_heads", "num_key_value_heads"])
def test_heads_must_be_given_for_no_shape_tells_them(given, name):
    args = given(sizes={key: value for key, value in TOLD.items() if key != name})
    with pytest.raises(ValueError, match=f"sizes.json does not give {name}; the weights do not tell"):
        convert_reference(*args)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"{", "is not JSON"), (b"[8]", r"must hold one JSON object.* got \[8\]"), (b"\xff\xfe", "is not JSON")],
)
def test_a_broken_json_file_is_refused(given, content, text):
    args = given()
    args[1].write_bytes(content)
    with pytest.raises(ValueError, match=text):
        convert_reference(*args)


class Code:
    """Unpickled, it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (type(self.path).mkdir, (self.path,))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_pickle_is_not_run(given, tmp_path, save):
    args = given()
    save({"a": Code(tmp_path / "was_run")}, args[0])
    with pytest.raises(ValueError, match=r"more than tensors and plain values.*save the weights alone"):
        convert_reference(*args)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"not a checkpoint", "neither safetensors nor a torch file"),
        (b"", "neither safetensors nor a torch file"),
        (b"\x10\0\0\0\0\0\0\0{ cut", "neither safetensors nor a torch file, or is cut short"),
        (b"PK\3\4 cut", "neither safetensors nor a torch file, or is cut short"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(given, content, text):
    args = given()
    args[0].write_bytes(content)
    with pytest.raises(ValueError, match=text) as caught:
        convert_reference(*args)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("found", [[torch.zeros(2)], {"weight": 3}, {"model_state_dict": None}])
def test_a_torch_file_without_a_state_dict_is_refused(given, found):
    with pytest.raises(ValueError, match="holds no state dict"):
        convert_reference(*given(found, file="ckpt.pt"))


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_named(given, missing):
    args = given()
    args[missing].unlink()
    with pytest.raises(ValueError, match=f"cannot read {args[missing]}: No such file"):
        convert_reference(*args)


def test_an_out_folder_that_is_not_empty_is_left_alone(given):
    args = given()
    args[2].mkdir()
    (args[2] / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="is not an empty folder; choose another"):
        convert_reference(*args)
    assert [path.name for path in args[2].iterdir()] == ["mine.txt"]


def test_a_write_that_fails_leaves_no_model(given, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "save_file", full)
    args = given()
    with pytest.raises(ValueError, match="cannot write to .*No space left"):
        convert_reference(*args)
    assert list(args[2].iterdir()) == []


def test_the_command_converts_and_refuses_in_one_line(given, capsys):
    file, sizes, out = map(str, given())
    assert main(["convert", "reference", file, "--config", sizes, "--out", out]) == 0
    assert f"written: {out}" in capsys.readouterr().out
    assert main(["convert", "reference", file, "--config", sizes, "--out", out]) == 2
    assert capsys.readouterr().err == f"lm2: {out} is not an empty folder; choose another\n"
