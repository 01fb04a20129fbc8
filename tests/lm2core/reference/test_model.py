"""The public code's model: what leaks and what does not, its bank, its files, what it refuses."""

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig

from lm2core.reading.checkpoints import KINDS
from lm2core.reference.causal_lm import ReferenceConfig, ReferenceForCausalLM
from tests.lm2core.reference.small import (
    BOTH_GATES,
    EVERY_KIND,
    SIZES,
    B,
    N,
    V,
    make_ids,
    make_model,
    random,
)


@pytest.mark.parametrize("changed", [1, N // 2, N - 1])
@EVERY_KIND
def test_with_a_running_mean_every_earlier_logit_is_bit_identical(top_k, changed):
    ids = make_ids()
    other = ids.clone()
    other[:, changed] = (other[:, changed] + 1) % V
    bank = random(B, N, N, seed=2)
    model = make_model(causal_gates=True, memory_top_k=top_k)
    with torch.no_grad():
        before, after = model(ids, memory=bank).logits, model(other, memory=bank).logits
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert not torch.equal(before[:, changed:], after[:, changed:])


def test_with_the_published_gates_the_last_token_moves_every_earlier_logit():
    ids = make_ids()
    other = ids.clone()
    other[:, -1] = (other[:, -1] + 1) % V
    with torch.no_grad():
        edited = (make_model()(ids).logits - make_model()(other).logits).abs().amax(-1)
    assert (edited > 0).all()


@BOTH_GATES
def test_model_is_llama_with_the_memory_after_self_attention(causal_gates):
    """One bank goes through all blocks; with memories that pass on their input it is a plain Llama."""
    model = make_model(causal_gates=causal_gates)
    seen = []
    for block in model.model.layers:
        block.mem_attn["memory_module"].register_forward_hook(
            lambda _, given, out: seen.append((given[1], out[1]))
        )
    with torch.no_grad():
        bank = model(make_ids()).memory
    assert torch.equal(seen[0][0], torch.eye(N).expand(B, N, N))
    assert seen[1][0] is seen[0][1] and seen[2][0] is seen[1][1] and bank is seen[2][1]

    shared = {name: value for name, value in SIZES.items() if not name.startswith("memory")}
    llama = AutoModelForCausalLM.from_config(LlamaConfig(**shared))
    weights = {name: value for name, value in model.state_dict().items() if name in llama.state_dict()}
    llama.load_state_dict(weights)
    for block in model.model.layers:
        block.mem_attn["memory_module"].register_forward_hook(lambda _, given, out: given)
    with torch.no_grad():
        torch.testing.assert_close(model(make_ids()).logits, llama.eval()(make_ids()).logits)


def test_memory_is_a_value_and_no_batch_leaves_anything_for_the_next():
    model = make_model()
    with torch.no_grad():
        fresh = model(make_ids())
        model(make_ids(n_texts=B + 2, seed=5))
        again = model(make_ids())
        expected = model(make_ids(), memory=torch.eye(N).expand(B, N, N))
        continued = model(make_ids(), memory=fresh.memory)
    assert torch.equal(fresh.logits, again.logits)
    assert torch.equal(fresh.logits, expected.logits)
    assert not torch.equal(fresh.logits, continued.logits)


def test_a_text_without_memory_starts_from_the_bank_of_the_model():
    model, bank = make_model(), random(N, N)
    model.memory_bank.copy_(bank)
    with torch.no_grad():
        assert torch.equal(model(make_ids()).logits, model(make_ids(), memory=bank.expand(B, N, N)).logits)


def test_a_batch_equals_its_texts_one_by_one():
    model = make_model()
    with torch.no_grad():
        batch = model(make_ids())
        for b in range(B):
            one = model(make_ids()[b : b + 1])
            torch.testing.assert_close(batch.logits[b], one.logits[0], rtol=0, atol=2e-6)
            torch.testing.assert_close(batch.memory[b], one.memory[0], rtol=0, atol=2e-6)


def test_loss_is_the_cross_entropy_of_the_next_token():
    ids = make_ids()
    labels = ids.clone()
    labels[0, 3] = -100
    with torch.no_grad():
        out = make_model()(ids, torch.ones_like(ids), labels=labels)
    by_hand = F.cross_entropy(out.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(out.loss, by_hand)


@BOTH_GATES
def test_gradients_reach_every_parameter(causal_gates):
    model = make_model(causal_gates=causal_gates).train()
    model(make_ids(), labels=make_ids()).loss.backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("tied", [False, True])
def test_saved_and_reloaded_model_is_bit_equal_with_its_bank_and_choices(tmp_path, tied):
    model = make_model(causal_gates=True, memory_top_k=3, tie_word_embeddings=tied)
    model.memory_bank.copy_(random(N, N))
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(again, ReferenceForCausalLM)
    assert (again.config.causal_gates, again.config.memory_top_k) == (True, 3)
    assert torch.equal(again.memory_bank, model.memory_bank)
    assert (again.lm_head.weight is again.model.embed_tokens.weight) == tied
    with torch.no_grad():
        assert torch.equal(model(make_ids()).logits, again(make_ids()).logits)


def test_a_folder_without_a_bank_starts_from_the_identity(tmp_path):
    make_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["memory_bank"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(ReferenceForCausalLM.from_pretrained(tmp_path).memory_bank, torch.eye(N))


def test_a_folder_that_lacks_a_weight_is_refused_by_its_name(tmp_path):
    make_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"not a complete checkpoint \(missing: model.norm.weight\)"):
        ReferenceForCausalLM.from_pretrained(tmp_path)


@pytest.mark.slow
def test_random_tokens_are_predicted_below_their_entropy_only_with_the_published_gates():
    late = {}
    for causal_gates in (False, True):
        model = make_model(vocab_size=2, num_hidden_layers=2, causal_gates=causal_gates).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        rng, losses = torch.Generator().manual_seed(0), []
        for _ in range(200):
            ids = torch.randint(2, (64, N), generator=rng)
            loss = model(ids, labels=ids).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        late[causal_gates] = torch.tensor(losses[-50:])
    error = late[True].std() / len(late[True]) ** 0.5
    assert late[True].mean() > math.log(2) - 3 * error
    assert late[False].mean() < math.log(2) - 0.1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"memory_slots": 6}, "memory_slots=6 must equal hidden_size=8: .* as its width"),
        ({"memory_heads": 3}, "memory_heads=3 must divide hidden_size=8"),
        ({"num_attention_heads": 8}, "head_dim=1 must be even"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3 must divide"),
        ({"memory_top_k": 9}, "memory_top_k=9 must be between 1 and memory_slots=8"),
        ({"attention_dropout": 0.9}, "attention_dropout=0.9 is not supported"),
        ({"hidden_act": "nope"}, "hidden_act='nope' is not an activation"),
        ({"causal_gate": True}, "unknown config key causal_gate; did you mean causal_gates"),
        ({"routing": "content"}, "unknown config key routing"),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_sentence(changes, text):
    with pytest.raises(ValueError, match=text):
        ReferenceConfig(**(SIZES | changes))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"input_ids": make_ids()[:, :5]}, r"exactly 8 tokens.* must be \(B,8\), got \(3, 5\)"),
        ({"input_ids": make_ids()[:0]}, r"got \(0, 8\)"),
        ({"input_ids": make_ids()[0]}, r"got \(8,\)"),
        (
            {"input_ids": make_ids(), "attention_mask": torch.ones(B, N).triu()},
            "texts cannot be padded.*3 zeros",
        ),
        (
            {"input_ids": make_ids(), "attention_mask": torch.ones(1, 8)},
            r"attention_mask .*shape \(3, 8\), got \(1, 8\)",
        ),
        ({"input_ids": make_ids(), "attention_mask": [1]}, "attention_mask must be a tensor of .* got list"),
        ({"input_ids": make_ids(), "memory": torch.eye(8)[None]}, r"\(3, 8, 8\) .*got \(1, 8, 8\)"),
        (
            {"input_ids": make_ids(), "memory": torch.eye(8).double().expand(3, 8, 8)},
            "memory is torch.float6",
        ),
        ({"input_ids": make_ids(), "memory": torch.zeros(3, 8, 8, device="meta")}, "memory is on meta"),
        ({"input_ids": make_ids().float()}, "input_ids must be whole numbers"),
        ({"input_ids": make_ids() + V}, "token ids must be in 0..16, got"),
    ],
)
def test_inputs_that_cannot_work_are_refused_with_what_was_got(call, text):
    with pytest.raises(ValueError, match=text):
        make_model()(**call)


def test_importing_any_model_of_the_package_lets_the_auto_classes_open_every_one():
    kinds = [*KINDS, "lm2-reference"]
    code = "from lm2core import LM2ForCausalLM; from transformers import AutoConfig; "
    code += f"[AutoConfig.for_model(kind) for kind in {kinds}]"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
