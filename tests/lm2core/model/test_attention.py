"""Attention against hand-made values, and the laws of its hook point."""

import pytest
import torch
from transformer_lens.hook_points import HookPoint

from lm2core.model.attention import attend, attention_pattern, merge_heads, split_heads, strongest

B, H, G, T, J, K = 2, 4, 2, 5, 7, 3


@pytest.fixture
def qkv() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(5)
    return torch.randn(B, H, T, K), torch.randn(B, G, J, K), torch.randn(B, G, J, K)


def test_attention_is_a_softmax_over_keys_by_hand(qkv):
    q, k, v = qkv
    out = attend(q, k, v)
    for head in range(H):
        shared = head // (H // G)  # two heads of queries use one head of keys
        weights = torch.softmax(k[0, shared] @ q[0, head, 1] / K**0.5, dim=0)
        torch.testing.assert_close(out[0, head, 1], weights @ v[0, shared])


def test_weights_sum_to_one_over_the_visible_keys(qkv):
    q, k, _ = qkv
    visible = torch.rand(B, 1, T, J) > 0.4
    visible[..., 2] = True
    pattern = attention_pattern(q, k.repeat_interleave(2, 1), visible=visible)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(B, H, T))
    assert (pattern[~visible.expand_as(pattern)] == 0).all()


def test_causal_attention_never_sees_a_later_key(qkv):
    q = qkv[0]
    pattern = attention_pattern(q, q, is_causal=True)
    assert (pattern.triu(1) == 0).all()
    torch.testing.assert_close(pattern[:, :, 0, 0], torch.ones(B, H))


def test_the_strongest_keys_are_kept_and_renormalised(qkv):
    q, k, v = qkv
    k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    full = attention_pattern(q, k)
    expected = full * (full >= full.topk(3, -1).values[..., -1:])
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(attend(q, k, v, visible=strongest(full, 3)), expected @ v)


def test_a_key_of_weight_zero_is_never_among_the_strongest():
    pattern = torch.tensor([[0.0, 0.9, 0.1, 0.0]])
    assert strongest(pattern, 3).tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("is_causal", [False, True])
def test_watching_changes_no_bit_and_the_watched_weights_are_the_used_ones(qkv, is_causal):
    q, k, v = qkv[0], *(x[:, :, :T] for x in qkv[1:])
    hook, seen = HookPoint(), []
    plain = attend(q, k, v, is_causal=is_causal, hook=hook)
    hook.add_hook(lambda pattern, hook: seen.append(pattern))
    assert torch.equal(attend(q, k, v, is_causal=is_causal, hook=hook), plain)
    torch.testing.assert_close(seen[0] @ v.repeat_interleave(2, 1), plain)


def test_an_edit_in_place_acts_by_exactly_what_was_edited(qkv):
    q, k, v = qkv
    hook = HookPoint()
    hook.add_hook(lambda pattern, hook: pattern.zero_())
    torch.testing.assert_close(attend(q, k, v, hook=hook), torch.zeros(B, H, T, K), rtol=0, atol=1e-6)


def test_gradients_of_the_weights_reach_a_watching_hook_and_the_inputs(qkv):
    q, k, v = (x.requires_grad_() for x in qkv)
    attend(q, k, v).square().sum().backward()
    expected = [x.grad.clone() for x in (q, k, v)]
    for x in (q, k, v):
        x.grad = None
    hook, seen = HookPoint(), []
    hook.add_hook(lambda grad, hook: seen.append(grad), dir="bwd")
    out = attend(q, k, v, hook=hook)
    out.square().sum().backward()
    torch.testing.assert_close(seen[0], 2 * out.detach() @ v.repeat_interleave(2, 1).transpose(-1, -2))
    torch.testing.assert_close([x.grad for x in (q, k, v)], expected)


def test_heads_are_split_and_merged_without_loss():
    x = torch.randn(B, T, H * K)
    assert split_heads(x, H).shape == (B, H, T, K)
    assert torch.equal(merge_heads(split_heads(x, H)), x)
