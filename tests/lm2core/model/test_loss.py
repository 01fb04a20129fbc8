"""The loss in chunks is the loss from all logits, in a part of the memory."""

import pytest
import torch
import torch.nn.functional as F
from torch.distributed._tools.mem_tracker import MemTracker

from lm2core.baselines.architectures import make_model as make_any
from lm2core.model import loss
from lm2core.model.config import LM2Config
from lm2core.model.loss import chunked_loss, next_token_loss
from tests.conftest import SIZES, B, S, T, V, make_ids, make_model

D = SIZES["hidden_size"]


def weight_and_texts(n_tokens: int, vocab_size: int, device: str = "cpu"):
    """The weight of a head, streams, and labels of which one is not counted."""
    torch.manual_seed(0)
    weight = torch.randn(vocab_size, D, device=device, requires_grad=True)
    x = torch.randn(B, n_tokens, D, device=device, requires_grad=True)
    labels = torch.randint(vocab_size, (B, n_tokens), device=device)
    labels[:, 2] = loss.NOT_COUNTED
    return weight, x, labels


def plain_loss(weight, x, labels, mask=None):
    return next_token_loss(F.linear(x, weight), labels, mask)


def loss_in_chunks(weight, x, labels, mask=None, *, n_rows):
    return chunked_loss(lambda x: F.linear(x, weight), x, labels, mask, n_rows=n_rows)


def peak_bytes(of_text, *tensors, **options) -> int:
    """The most bytes that live at once in a loss and its gradients, beside the tensors."""
    with MemTracker() as tracker:
        of_text(*tensors, **options).backward()
    (by_kind,) = tracker.get_tracker_snapshot("peak").values()
    return by_kind["Total"]


@pytest.mark.parametrize("n_rows", [1, 4, 5, 1_000])
@pytest.mark.parametrize("is_padded", [False, True])
def test_loss_and_gradients_in_chunks_are_those_of_all_logits(n_rows, is_padded):
    weight, x, labels = weight_and_texts(11, V)
    mask = torch.ones(B, 11, dtype=torch.long)
    mask[0, :4] = 0
    mask = mask if is_padded else None
    plain = plain_loss(weight, x, labels, mask)
    chunked = loss_in_chunks(weight, x, labels, mask, n_rows=n_rows)
    torch.testing.assert_close(chunked, plain, rtol=1e-6, atol=1e-6)
    wanted = torch.autograd.grad(plain, [x, weight])
    torch.testing.assert_close(torch.autograd.grad(chunked, [x, weight]), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["lm2", "rmt", "armt", "llama-window", "llama-full"])
def test_every_architecture_s_loss_alone_is_its_loss_and_comes_without_logits(architecture, monkeypatch):
    monkeypatch.setattr(loss, "LOGITS_AT_ONCE", V)
    monkeypatch.setattr(loss, "TILE", 5)  # a chunk of five tokens
    model, ids = make_any(LM2Config(**SIZES), architecture).train(), make_ids(B, S * T)
    plain, alone = model(ids, labels=ids), model(ids, labels=ids, loss_only=True)
    assert alone.logits is None
    torch.testing.assert_close(alone.loss, plain.loss, rtol=1e-6, atol=1e-6)
    expected = torch.autograd.grad(plain.loss, model.lm_head.weight)
    torch.testing.assert_close(torch.autograd.grad(alone.loss, model.lm_head.weight), expected)


def test_a_loss_alone_without_labels_is_refused():
    with pytest.raises(ValueError, match="loss_only needs labels, e.g. labels=input_ids"):
        make_model()(make_ids(B, T), loss_only=True)


def test_mixed_precision_sums_the_loss_in_float32():
    texts = weight_and_texts(40, V)
    with torch.autocast("cpu", torch.bfloat16):
        chunked, plain = loss_in_chunks(*texts, n_rows=8), plain_loss(*texts)
    assert chunked.dtype == torch.float32
    torch.testing.assert_close(chunked, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("vocab_size", "device"), [(512, "cpu"), (128_256, "meta")])
def test_memory_is_that_of_one_chunk_and_not_of_the_text(vocab_size, device):
    """Some 12 bytes a logit in bf16. The meta device has Llama-3.2's vocabulary, and allocates nothing."""
    weight, x, labels = weight_and_texts(1_025, vocab_size, device)
    texts = [part.detach().to(torch.bfloat16).requires_grad_() for part in (weight, x)] + [labels]
    plain, chunked = peak_bytes(plain_loss, *texts), peak_bytes(loss_in_chunks, *texts, n_rows=64)
    gradients = 2 * texts[0].nbytes + 3 * texts[1].nbytes
    assert plain > 12 * B * 1024 * vocab_size
    assert chunked < 13 * 64 * vocab_size + gradients
