"""A Llama checkpoint becomes an LM2: the same logits at first, and a memory that learns."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config

SIZES = {
    "vocab_size": 31,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
ROPE = {
    "plain": {"rope_type": "default", "rope_theta": 1e4},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 5e5,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
}
N = 7  # slots
IDS = torch.randint(31, (2, 50), generator=torch.Generator().manual_seed(4))


def llama_folder(path, *, rope="plain", **changes):
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**(SIZES | {"rope_parameters": ROPE[rope]} | changes))).eval()
    llama.save_pretrained(path)
    return llama


@pytest.mark.parametrize("rope", ROPE)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("head_dim", [6, 10])
def test_a_new_memory_leaves_the_logits_of_the_llama_as_they_were(tmp_path, rope, tied, head_dim):
    llama = llama_folder(tmp_path, rope=rope, tie_word_embeddings=tied, head_dim=head_dim)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, llama(IDS).logits, rtol=0, atol=2e-6)


def test_a_new_memory_leaves_left_padded_logits_and_generation_as_they_were(tmp_path):
    llama = llama_folder(tmp_path)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)
    mask = torch.ones_like(IDS)
    mask[0, :9] = 0
    with torch.no_grad():
        ours, theirs = model(IDS, mask).logits, llama(IDS, attention_mask=mask).logits
    torch.testing.assert_close(ours[mask == 1], theirs[mask == 1], rtol=0, atol=2e-6)
    texts = [
        m.generate(
            IDS[:, :20], attention_mask=mask[:, :20], max_new_tokens=40, do_sample=False, pad_token_id=0
        )
        for m in (model, llama)
    ]
    assert torch.equal(*texts)


def test_the_output_gate_starts_all_but_shut_and_the_memory_still_learns(tmp_path):
    llama_folder(tmp_path)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N, segment_length=10)
    _, cache = model.run_with_cache(IDS[:, :10], names_filter=lambda name: name.endswith("hook_gate_out"))
    assert all(gate.max() < 0.01 for gate in cache.values())
    assert len(cache) == SIZES["num_hidden_layers"]
    before = model(IDS, labels=IDS).loss
    optimizer = torch.optim.AdamW([p for n, p in model.named_parameters() if ".mem." in n], lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()
    assert model(IDS, labels=IDS).loss < before - 0.2


def test_freezing_the_backbone_leaves_only_the_memory_to_train(tmp_path):
    llama_folder(tmp_path)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)
    model.freeze_backbone()
    assert all(p.requires_grad == (".mem." in name) for name, p in model.named_parameters())
    assert any(p.requires_grad for p in model.parameters())


def test_the_memory_that_is_not_given_follows_from_the_llama(tmp_path):
    llama_folder(tmp_path)
    config = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N).config
    assert (config.memory_slots, config.memory_heads, config.segment_length) == (N, 4, 64)
    changes = {"memory_heads": 3, "memory_layers": [1], "segment_length": 9}
    changed = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N, **changes).config
    assert changed.to_dict().items() >= changes.items()


def test_what_was_made_is_saved_and_opened_as_an_lm2(tmp_path):
    llama_folder(tmp_path / "llama")
    model = LM2ForCausalLM.from_pretrained(tmp_path / "llama", memory_slots=N)
    model.save_pretrained(tmp_path / "lm2")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "lm2")
    assert isinstance(again, LM2ForCausalLM)
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, model(IDS).logits)


def test_weights_are_opened_in_the_dtype_that_is_asked_for(tmp_path):
    llama_folder(tmp_path)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model(IDS).memory.dtype == torch.bfloat16


def test_a_llama_without_a_number_of_slots_is_refused(tmp_path):
    llama_folder(tmp_path)
    with pytest.raises(ValueError, match="is a Llama without a memory; .* memory_slots="):
        LM2ForCausalLM.from_pretrained(tmp_path)


def test_slots_that_the_heads_do_not_divide_are_refused(tmp_path):
    llama_folder(tmp_path)
    with pytest.raises(ValueError, match="memory_heads=5 must divide hidden_size=24"):
        LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N, memory_heads=5)


def test_a_model_of_another_family_is_refused(tmp_path):
    GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=4, vocab_size=5)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a 'gpt2' model; an LM2 can only be loaded from 'lm2' or"):
        LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)


@pytest.mark.parametrize("kind", ["missing", "unexpected"])
def test_a_llama_with_missing_or_unexpected_weights_is_refused_with_their_names(tmp_path, kind):
    llama_folder(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    if kind == "missing":
        del weights[name]
    else:
        name = "model.layers.1.mlp.extra"
        weights[name] = torch.zeros(2)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=rf"{kind}: {name}"):
        LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)


def test_a_llama_whose_weights_have_another_shape_is_refused_with_both_shapes(tmp_path):
    llama_folder(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.norm.weight"] = torch.ones(5)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"of a wrong shape: model.norm.weight \(5,\) instead of \(24,\)"):
        LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)


def test_a_llama_whose_file_was_cut_short_is_refused(tmp_path):
    llama_folder(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(
        ValueError, match="the weights are truncated or not safetensors .*copy it again or choose"
    ):
        LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)


def test_a_llama_trained_with_attention_dropout_is_opened_without_it(tmp_path):
    llama = llama_folder(tmp_path, attention_dropout=0.1)
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, llama(IDS).logits, rtol=0, atol=2e-6)


def test_an_old_llama_config_with_rope_theta_at_the_top_is_read(tmp_path):
    llama = llama_folder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps(config | {"rope_theta": 1e4, "rope_scaling": None}))
    model = LM2ForCausalLM.from_pretrained(tmp_path, memory_slots=N)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, llama(IDS).logits, rtol=0, atol=2e-6)


def test_the_config_of_an_lm2_folder_can_be_changed_by_name(tmp_path):
    LM2ForCausalLM(LM2Config(memory_slots=N)).save_pretrained(tmp_path)
    assert LM2ForCausalLM.from_pretrained(tmp_path, segment_length=11).config.segment_length == 11
