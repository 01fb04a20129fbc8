"""Loss and gradients of the model: exact, reaching every parameter, stopped where told."""

import math

import pytest
import torch
import torch.nn.functional as F

from tests.conftest import EVERY_ROUTING, POSITIONAL, B, T, make_ids, make_model


@EVERY_ROUTING
def test_gradients_reach_every_memory_parameter(changes):
    model = make_model(**changes).train()
    ids = make_ids(B, 3 * T)
    model(ids, labels=ids).loss.backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


def test_loss_is_the_cross_entropy_of_the_next_token_across_segments(model):
    ids = make_ids(B, 2 * T + 1)
    with torch.no_grad():
        out = model(ids, labels=ids)
        by_hand = F.cross_entropy(out.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(out.loss, by_hand)


def test_loss_of_padded_text_is_the_loss_of_the_text(model):
    ids = make_ids(1, T + 2)
    padded, mask = F.pad(ids, (3, 2)), F.pad(torch.ones_like(ids), (3, 2))
    with torch.no_grad():
        torch.testing.assert_close(model(padded, mask, labels=padded).loss, model(ids, labels=ids).loss)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, POSITIONAL], ids=["content", "positional"])
def test_training_on_random_tokens_never_beats_their_entropy(changes):
    """Independent uniform tokens cannot be predicted: a loss below ln V would be a leak from the future."""
    n_tokens = 4
    model = make_model(**changes, vocab_size=n_tokens).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng, losses = torch.Generator().manual_seed(0), []
    for _ in range(150):
        ids = torch.randint(n_tokens, (32, 2 * T), generator=rng)
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    late = torch.tensor(losses[-50:])
    assert late.mean() > math.log(n_tokens) - 3 * late.std() / len(late) ** 0.5
    assert late.mean() < math.log(n_tokens) + 0.05  # and it did learn that they are uniform


def test_gradients_stop_after_the_segments_they_may_run_through(model):
    """The loss of the third segment reaches the first one through the bank, unless the bank is cut off."""
    ids = make_ids(B, 3 * T)
    labels = ids.clone()
    labels[:, : 2 * T + 1] = -100
    reached = {}
    for n_segments in (0, 1, 2, 3):
        seen = []
        with model.hooks(fwd_hooks=[("hook_bank", lambda bank, hook: seen.append(bank))]):  # noqa: B023
            loss = model(ids, labels=labels, backprop_segments=n_segments).loss
        grads = torch.autograd.grad(loss, seen[:2], allow_unused=True)
        reached[n_segments] = [grad is not None and bool(grad.any()) for grad in grads]
    assert reached == {0: [True, True], 1: [False, False], 2: [False, False], 3: [True, True]}


def test_truncated_backpropagation_changes_no_logit(model):
    ids = make_ids(B, 3 * T)
    assert torch.equal(model(ids).logits, model(ids, backprop_segments=1).logits)


@EVERY_ROUTING
def test_checkpointing_activations_changes_no_gradient(changes):
    ids, grads = make_ids(B, 3 * T), []
    for checkpointing in (False, True):
        model = make_model(**changes).train()
        if checkpointing:
            model.activation_checkpointing_enable()
        model(ids, labels=ids).loss.backward()
        grads.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*grads, rtol=0, atol=1e-7)
