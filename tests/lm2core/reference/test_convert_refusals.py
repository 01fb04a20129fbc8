"""What is no checkpoint of the public code is refused in one line, with nothing written."""

import pickle

import pytest
import torch

from lm2core.reference import convert
from lm2core.reference.convert import convert_reference
from tests.lm2core.reference.small import TOLD, B, N, V, make_model, public_weights

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
        ({"memory_bank": torch.zeros(B, N, N + 1)}, r"has shape \(3, 8, 9\), must be \(B, 8, 8\)"),
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
    with pytest.raises(ValueError, match="is an LM2 of this project and needs no conversion"):
        convert_reference(*given(weights))


def test_a_plain_llama_is_told_how_to_be_opened(given):
    weights = {name: value for name, value in public_weights(make_model()).items() if "mem" not in name}
    args = given(weights, sizes={})
    with pytest.raises(
        ValueError, match=r"a plain Llama without.*LM2ForCausalLM\.from_pretrained\(FOLDER, memory_slots="
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
        ({"n_embd": 8}, "unknown keys n_embd; known: vocab_size, "),
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
    with pytest.raises(ValueError, match=f"sizes.json lacks {name}, which the weights do not determine"):
        convert_reference(*args)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "is not valid JSON"),
        (b"[8]", r"must be a JSON object.* got \[8\]"),
        (b"\xff\xfe", "is not valid JSON"),
    ],
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
    with pytest.raises(ValueError, match=r"more than tensors and plain values.*save only the weights"):
        convert_reference(*args)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"not a checkpoint", "neither safetensors nor a torch file"),
        (b"", "neither safetensors nor a torch file"),
        (b"\x10\0\0\0\0\0\0\0{ cut", "neither safetensors nor a torch file, or is truncated"),
        (b"PK\3\4 cut", "neither safetensors nor a torch file, or is truncated"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(given, content, text):
    args = given()
    args[0].write_bytes(content)
    with pytest.raises(ValueError, match=text) as caught:
        convert_reference(*args)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("found_type", [[torch.zeros(2)], {"weight": 3}, {"model_state_dict": None}])
def test_a_torch_file_without_a_state_dict_is_refused(given, found_type):
    with pytest.raises(ValueError, match="is not a state dict"):
        convert_reference(*given(found_type, file="ckpt.pt"))


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
