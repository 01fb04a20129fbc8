"""A memory alone: saved small, opened with the Llama it was trained on, and with no other."""

import json
import shutil

import pytest
import torch
from transformers import AutoTokenizer

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading import checkpoints
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.backbones import BACKBONES, cached_backbone
from lm2core.reading.checkpoints import load, shipped_models
from lm2core.reading.loaded_model import untrained
from lm2core.reading.memory_weights import save_memory
from tests.lm2core.model.test_gguf import write
from tests.small_llama import STORY, save_llama, small_tokenizer, with_memory


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("backbone") / "llama")


@pytest.fixture(scope="module")
def model(llama):
    return with_memory(llama)


@pytest.fixture
def saved(llama, model, tmp_path):
    """The folder of a memory alone."""
    save_memory(model, small_tokenizer(), tmp_path / "memory", backbone=llama)
    return tmp_path / "memory"


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_it_holds_the_memory_alone_and_opens_with_every_weight(saved, model):
    n_memory = sum(w.numel() for name, w in model.named_parameters() if ".mem." in name)
    assert (saved / "model.safetensors").stat().st_size < 4 * n_memory + 5_000
    opened = load(saved).model
    assert opened.config.to_dict() == model.config.to_dict() | {"architectures": opened.config.architectures}
    assert "_name_or_path" not in json.loads((saved / "config.json").read_text())  # it would tell a path
    assert not opened.training and opened.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(weight, opened.state_dict()[name]) for name, weight in model.state_dict().items())


def test_half_precision_halves_the_file_and_opens_in_the_models_own(saved, model, llama, tmp_path):
    save_memory(model, small_tokenizer(), tmp_path / "half", backbone=llama, dtype=torch.float16)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path / "half", saved)]
    assert sizes[0] < 0.7 * sizes[1]
    opened = load(tmp_path / "half").model
    assert opened.dtype == torch.float32
    for name, weight in model.state_dict().items():
        expected = weight.half().float() if ".mem." in name else weight
        assert torch.equal(opened.state_dict()[name], expected)


def test_the_llama_is_found_as_a_gguf_file_and_in_a_given_folder(saved, llama, model, tmp_path):
    shutil.move(llama, tmp_path / "moved")
    try:
        with pytest.raises(UserError, match=r"memory for the Llama .*llama, which is not there; .*backbone="):
            load(saved)
        expected = model(torch.tensor([[1, 2, 3]])).logits
        opened = load(saved, backbone=tmp_path / "moved").model
        assert torch.equal(opened(torch.tensor([[1, 2, 3]])).logits, expected)
    finally:
        shutil.move(tmp_path / "moved", llama)


def test_a_memory_trained_on_a_gguf_file_opens_with_it(llama, tmp_path):
    from transformers import LlamaForCausalLM

    file = tmp_path / "small.gguf"
    write(file, LlamaForCausalLM.from_pretrained(llama), AutoTokenizer.from_pretrained(llama))
    model = with_memory(str(file))
    model.config.bos_token_id = 0
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path), gguf_file=file.name)
    save_memory(model, tokenizer, tmp_path / "memory", backbone=file)
    lm = load(tmp_path / "memory")
    assert torch.equal(lm.model(torch.tensor([[1, 2, 3]])).logits, model(torch.tensor([[1, 2, 3]])).logits)
    assert lm.tokenizer(" Mary")["input_ids"][0] == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": 1}, "has other weights than the Llama that .* was trained on"),
        ({"hidden_size": 32}, "has another size than .*: hidden_size=32, not 16; give that one"),
        ({"text": "The boat is in the harbour, the boy is in the boat"}, "has another (size|tokenizer) than"),
    ],
)
def test_another_backbone_is_refused_in_one_line(saved, tmp_path, changes, text):
    other = save_llama(tmp_path / "other", **changes)
    with pytest.raises(UserError, match=text) as refused:
        load(saved, backbone=other)
    assert "\n" not in str(refused.value)


def test_another_tokenizer_of_the_same_size_is_refused(saved, llama, tmp_path):
    shutil.copytree(llama, tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    stored = json.loads(file.read_text())
    words = stored["model"]["vocab"]
    words["Q"], words["Z"] = words["Z"], words["Q"]
    file.write_text(json.dumps(stored))
    with pytest.raises(UserError, match="has another tokenizer than the Llama that"):
        load(saved, backbone=tmp_path / "other")


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "cannot read the memory's weights"),
        (lambda f: (f / "model.safetensors").write_bytes(b"12345678"), "cannot read the memory's weights"),
        (
            lambda f: edit_config(f, memory_slots=7),
            "does not hold the memory .*: model.layers",
        ),
        (lambda f: edit_config(f, memory_layers=[3]), "does not hold the memory .*unexpected"),
        (lambda f: edit_config(f, memory_heads=3), "memory_heads=3 must divide"),
        (lambda f: edit_config(f, bos_token_id=None), "bos_token_id=None is no token"),
    ],
)
def test_a_broken_memory_is_refused_in_one_line(saved, harm, text):
    harm(saved)
    with pytest.raises(UserError, match=text) as refused:
        load(saved)
    assert "\n" not in str(refused.value)


def test_other_checkpoints_take_no_backbone(tmp_path):
    with pytest.raises(UserError, match=r"babi-qa1-3 is no memory that needs another model; omit backbone="):
        load("babi-qa1-3", backbone=tmp_path)


def test_a_model_without_memory_is_not_saved(llama, tmp_path):
    model = LM2ForCausalLM.from_pretrained(llama, memory_slots=4, memory_layers=[])
    with pytest.raises(UserError, match="no memory to save"):
        save_memory(model, small_tokenizer(), tmp_path / "memory", backbone=llama)
    assert not (tmp_path / "memory").exists()


def test_a_shipped_memory_is_listed_on_request_and_says_which_command_fetches_its_llama(
    saved, llama, model, monkeypatch, tmp_path
):
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "cache"))
    save_memory(model, small_tokenizer(), saved, backbone="smollm2")
    assert shipped_models() == shipped_models(baselines=True) == []
    assert shipped_models(memories=True) == ["memory"]
    with pytest.raises(UserError, match="not on this machine; fetch it once .*: lm2 backbone smollm2$"):
        load("memory")
    shutil.copytree(llama, cached_backbone("smollm2"))
    lm = load("memory")
    assert lm.name == "memory" and "smollm2" in BACKBONES
    assert ranked_words(lm, "Where is Mary?", memory_after(lm, STORY))


def test_its_untrained_control_has_a_new_memory_and_the_same_llama(saved):
    lm = load(saved)
    control = untrained(lm, 3)
    assert (control.name, control.is_beside_llama) == ("untrained", True)
    weights, of_control = lm.model.state_dict(), control.model.state_dict()
    assert all(torch.equal(x, of_control[name]) for name, x in weights.items() if ".mem." not in name)
    new = [name for name, x in weights.items() if not torch.equal(x, of_control[name])]
    assert any(name.endswith("token_proj.weight") for name in new)
    again = untrained(lm, 3).model.state_dict()
    assert all(torch.equal(x, again[name]) for name, x in of_control.items())
