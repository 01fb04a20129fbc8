"""The public code's module and model: recorded outputs, a slow twin, what leaks and what does not."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig

from lm2core.reference import ReferenceConfig, ReferenceForCausalLM, ReferenceMemory, token_mean
from tests.conftest import SHARED

B, N, V = 3, 8, 17  # N is tokens, slots and width: the architecture has one number for them
SIZES = {
    "vocab_size": V,
    "hidden_size": N,
    "memory_slots": N,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "memory_heads": 2,
}
EVERY_KIND = pytest.mark.parametrize("top_k", [None, 3], ids=["all", "top-k"])
BOTH_GATES = pytest.mark.parametrize("causal_gates", [False, True], ids=["published", "running mean"])


def make_memory(*, seed: int = 0, **choices: object) -> ReferenceMemory:
    torch.manual_seed(seed)
    return ReferenceMemory(N, 2, **choices).eval()


def make_model(*, seed: int = 0, **changes: object) -> ReferenceForCausalLM:
    torch.manual_seed(seed)
    return ReferenceForCausalLM(ReferenceConfig(**(SIZES | changes))).eval()


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_ids(*, n_texts: int = B, seed: int = 1) -> torch.Tensor:
    return torch.randint(V, (n_texts, N), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def golden_dir() -> Path:
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip(f"the outputs recorded from the public code are not at {folder}")
    return folder


@pytest.mark.parametrize(("n_slots", "n_heads"), [(16, 4), (32, 8)])
def test_module_gives_the_recorded_outputs_of_the_public_code(golden_dir, n_slots, n_heads):
    recorded = load_file(golden_dir / f"reference_module_{n_slots}.safetensors")
    memory = ReferenceMemory(n_slots, n_heads).eval()
    weights = {name[2:]: value for name, value in recorded.items() if name.startswith("w.")}
    memory.load_state_dict({name: value for name, value in weights.items() if ".1." not in name})
    with torch.no_grad():
        out1, bank1 = memory(recorded["x1"], recorded["bank0"])
        out2, bank2 = memory(recorded["x2"], bank1)
        gate_in2, gate_forget2 = memory.gates(recorded["x2"], bank1)
        attended2 = memory.attended(recorded["x2"], bank1)
    ours = {"out1": out1, "bank1": bank1, "out2": out2, "bank2": bank2, "attended2": attended2}
    ours |= {"input_gate2": gate_in2, "forget_gate2": gate_forget2}
    for name, value in ours.items():
        torch.testing.assert_close(value, recorded[name], rtol=0, atol=1e-5, msg=name)


def by_hand(
    memory: ReferenceMemory, x: torch.Tensor, bank: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One text, (N,N) in and out: the same, token by token, head by head, slot by slot."""
    w = {name: value.double() for name, value in memory.state_dict().items()}

    def linear(name: str, value: torch.Tensor) -> torch.Tensor:
        return w[f"{name}.weight"] @ value + w[f"{name}.bias"]

    def norm(name: str, value: torch.Tensor) -> torch.Tensor:
        centred = value - value.mean()
        return w[f"{name}.weight"] * centred / (centred.square().mean() + 1e-5).sqrt() + w[f"{name}.bias"]

    x, bank, size = x.double(), bank.double(), N // memory.n_heads
    rows = []
    for i in range(N):
        read = torch.zeros(N, dtype=torch.float64)
        for head in range(memory.n_heads):
            part = slice(head * size, (head + 1) * size)
            query = linear("query_proj", x[i])[part]
            scores = [query @ linear("key_proj", bank[j])[part] / size**0.5 for j in range(i + 1)]
            weights = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
            kept = weights.argsort(descending=True)[: memory.top_k or N]
            for j in kept.tolist():
                read[part] += weights[j] * linear("value_proj", bank[j])[part]
        h = norm("attended_memory_layernorm", bank[i] + read)
        twice = linear("attention_mlp.0", linear("attention_mlp.0", h).relu()).relu()
        c = norm("attended_memory_layernorm2", h + twice)
        seen = x[: i + 1] if memory.causal_gates else x
        s = (w["input_gate_projector.w"] * seen).relu().mean(0)
        gate = linear("memory_gate_projector.linear", bank[i].tanh()) + linear(
            "input_gate_projector.linear", s
        )
        gate_in, gate_forget = gate[:N] + w["input_bias"], gate[N:] + w["forget_bias"]
        rows.append(gate_in.sigmoid() * c.tanh() + gate_forget.sigmoid() * bank[i])
    after = torch.stack(rows)
    return x + after, after


@EVERY_KIND
@BOTH_GATES
def test_module_equals_its_slow_twin(top_k, causal_gates):
    memory = make_memory(top_k=top_k, causal_gates=causal_gates)
    with torch.no_grad():
        for seed, parameter in enumerate(memory.parameters()):  # no two norms, biases or scales alike
            parameter.add_(0.3 * random(*parameter.shape, seed=seed))
        x, bank = random(B, N, N), random(B, N, N, seed=2)
        out, after = memory(x, bank)
    for b in range(B):
        slow_out, slow_after = by_hand(memory, x[b], bank[b])
        torch.testing.assert_close(out[b].double(), slow_out, rtol=0, atol=1e-5)
        torch.testing.assert_close(after[b].double(), slow_after, rtol=0, atol=1e-5)


def test_top_k_of_all_slots_is_no_top_k():
    x, bank = random(B, N, N), random(B, N, N, seed=2)
    with torch.no_grad():
        assert torch.equal(make_memory(top_k=N)(x, bank)[1], make_memory()(x, bank)[1])
        assert not torch.equal(make_memory(top_k=1)(x, bank)[1], make_memory()(x, bank)[1])


def test_closed_input_gate_and_open_forget_gate_leave_the_bank_as_it_was():
    memory = make_memory()
    x, bank = random(B, N, N), random(B, N, N, seed=2)
    with torch.no_grad():
        memory.input_bias.fill_(-200.0)
        memory.forget_bias.fill_(200.0)
        out, after = memory(x, bank)
    assert torch.equal(after, bank)
    assert torch.equal(out, x + bank)


def test_one_update_adds_at_most_one_to_any_cell():
    memory, bank = make_memory(), torch.eye(N).expand(B, N, N)
    for step in range(20):
        with torch.no_grad():
            after = memory(3 * random(B, N, N, seed=step), bank)[1]
        assert (after.abs() <= bank.abs() + 1).all()
        bank = after


def test_a_running_mean_begins_with_the_first_token_and_ends_as_the_mean_of_all():
    x, w = random(B, N, N), random(N, seed=2)
    running, whole = token_mean(x, w, causal=True), token_mean(x, w, causal=False)
    assert torch.equal(running[:, 0], F.relu(w * x[:, 0]))
    torch.testing.assert_close(running[:, -1:], whole)


@EVERY_KIND
def test_changing_the_last_token_moves_earlier_rows_only_through_the_published_mean(top_k):
    x, bank = random(B, N, N), random(B, N, N, seed=2)
    other = x.clone()
    other[:, -1] += 1.0
    with torch.no_grad():
        leaky, causal = make_memory(top_k=top_k), make_memory(top_k=top_k, causal_gates=True)
        assert torch.equal(leaky.attended(x, bank)[:, :-1], leaky.attended(other, bank)[:, :-1])
        assert (leaky(x, bank)[1] - leaky(other, bank)[1])[:, :-1].abs().max() > 1e-3
        assert torch.equal(causal(x, bank)[1][:, :-1], causal(other, bank)[1][:, :-1])
        assert not torch.equal(causal(x, bank)[1], causal(other, bank)[1])


def test_changing_the_last_slot_moves_the_last_row_only():
    x, bank = random(B, N, N), random(B, N, N, seed=2)
    other = bank.clone()
    other[:, -1] += 1.0
    with torch.no_grad():
        before, after = make_memory()(x, bank)[0], make_memory()(x, other)[0]
    assert torch.equal(before[:, :-1], after[:, :-1])
    assert not torch.equal(before[:, -1], after[:, -1])


def test_module_has_the_published_number_of_parameters_and_start_values():
    memory = make_memory()
    assert sum(p.numel() for p in memory.parameters()) == 8 * N**2 + 13 * N + 2
    assert (memory.input_bias.item(), memory.forget_bias.item()) == (0.0, 1.0)
    thin, full = memory.memory_gate_projector["linear"], memory.query_proj
    assert 0.9 * (2 * N) ** -0.5 < thin.weight.abs().max() <= (2 * N) ** -0.5
    assert 0.9 * N**-0.5 < full.weight.abs().max() <= N**-0.5


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
        moved = (make_model()(ids).logits - make_model()(other).logits).abs().amax(-1)
    assert (moved > 0).all()


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
        told = model(make_ids(), memory=torch.eye(N).expand(B, N, N))
        continued = model(make_ids(), memory=fresh.memory)
    assert torch.equal(fresh.logits, again.logits)
    assert torch.equal(fresh.logits, told.logits)
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
        ({"memory_slots": 6}, "memory_slots=6 must equal hidden_size=8: .* one number"),
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
            "no text can be padded.*3 zeros",
        ),
        ({"input_ids": make_ids(), "attention_mask": torch.ones(1, 8)}, r"must be \(3, 8\).* got \(1, 8\)"),
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


def test_importing_any_model_of_the_package_lets_the_auto_classes_open_this_one():
    code = "from lm2core import LM2ForCausalLM; from transformers import AutoConfig; "
    code += "AutoConfig.for_model('lm2-reference')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
