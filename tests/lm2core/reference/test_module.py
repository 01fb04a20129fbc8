"""The public code's memory module: recorded outputs, a slow twin, what its gates do."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from lm2core.reference.memory import ReferenceMemory, token_mean
from tests.lm2core.reference.small import BOTH_GATES, EVERY_KIND, B, N, make_memory, random


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
            remaining = weights.argsort(descending=True)[: memory.top_k or N]
            for j in remaining.tolist():
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
    running, overall = token_mean(x, w, causal=True), token_mean(x, w, causal=False)
    assert torch.equal(running[:, 0], F.relu(w * x[:, 0]))
    torch.testing.assert_close(running[:, -1:], overall)


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
