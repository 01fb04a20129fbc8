"""The pure functions of the memory against hand-made values and slow references."""

import pytest
import torch

from lm2core.model.memory import gated_update, initial_bank, slot_shares

B, T, N, D = 2, 4, 3, 6


@pytest.fixture
def parts() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {
        "gate_in_BTD": torch.rand(B, T, D),
        "gate_forget_BTD": torch.rand(B, T, D),
        "candidate_BTD": torch.rand(B, T, D) * 2 - 1,
    }


def test_shares_of_a_slot_never_exceed_one_and_padding_has_none():
    pattern = torch.zeros(1, T, N)
    pattern[0, :, 1] = 1.0  # every token claims slot 1 fully
    mask = torch.tensor([[1, 1, 1, 0]])
    shares = slot_shares(pattern, mask)
    torch.testing.assert_close(shares[0, 1], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.0]))
    assert (shares[0, [0, 2]] == 0).all()


def test_small_claims_are_not_blown_up_to_a_whole_slot():
    pattern = torch.full((1, T, N), 0.1)
    assert torch.equal(slot_shares(pattern, torch.ones(1, T)), torch.full((1, N, T), 0.1))


def test_update_equals_a_loop_over_every_cell(parts):
    shares = slot_shares(torch.rand(B, T, N).softmax(-1), torch.ones(B, T))
    keep, write = gated_update(shares, **parts)
    for b in range(B):
        for n in range(N):
            for d in range(D):
                terms = [
                    (float(shares[b, n, t]), *(float(parts[k][b, t, d]) for k in parts)) for t in range(T)
                ]
                assert float(keep[b, n, d]) == pytest.approx(
                    1 - sum(r * (1 - f) for r, _, f, _ in terms), abs=1e-6
                )
                assert float(write[b, n, d]) == pytest.approx(
                    sum(r * i * c for r, i, _, c in terms), abs=1e-6
                )


def test_identity_routing_is_equation_6_by_hand(parts):
    """M' = g_in * tanh(E_mem) + g_forget * M, row by row, when slot t belongs to token t."""
    memory = torch.randn(B, T, D)
    by_hand = parts["gate_in_BTD"] * parts["candidate_BTD"] + parts["gate_forget_BTD"] * memory
    for identity in (torch.eye(T).expand(B, T, T), torch.ones(B, T), None):  # R, its diagonal, nothing said
        keep, write = gated_update(identity, **parts)
        torch.testing.assert_close(keep * memory + write, by_hand)


def test_a_sentence_of_padding_leaves_the_bank_as_it_was_to_the_bit(parts):
    memory = torch.randn(B, N, D)
    keep, write = gated_update(slot_shares(torch.rand(B, T, N), torch.zeros(B, T)), **parts)
    assert torch.equal(keep * memory + write, memory)


@pytest.mark.parametrize("n_slots", [3, 7, 9])
def test_a_fresh_bank_has_unit_rows_that_differ_up_to_the_width(n_slots):
    bank = initial_bank(2, n_slots, 7, like=torch.zeros(1))
    assert bank.shape == (2, n_slots, 7)
    assert (bank.sum(-1) == 1).all()
    assert len(torch.unique(bank[0], dim=0)) == min(n_slots, 7)
