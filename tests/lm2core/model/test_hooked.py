"""TransformerLens' methods on the model: what they used to pass over in silence is told."""

import warnings
from dataclasses import FrozenInstanceError

import pytest
import torch
from transformer_lens import ActivationCache

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.hooked import warn_of_last_segment
from tests.conftest import B, D, S, T, make_ids, make_model

TYPO = "blocks.0.mem.hook_reed"
NEAR = r"no hook point 'blocks\.0\.mem\.hook_reed'; nearest: blocks\.0\.mem\.hook_read,"


@pytest.fixture(scope="module")
def model() -> LM2ForCausalLM:
    return make_model()


def test_a_cache_of_several_segments_says_once_that_it_holds_the_last(model):
    warn_of_last_segment.cache_clear()
    ids = make_ids(B, S, T)
    with pytest.warns(UserWarning, match=r"of several segments the last one's; lm2core\.capture"):
        _, cache = model.run_with_cache(ids)
    _, last = model.run_with_cache(ids[:, -1:], None, model(ids[:, :-1]).memory)  # warnings are errors
    torch.testing.assert_close(cache["hook_bank"], last["hook_bank"])
    model.run_with_cache(ids)


def test_a_cache_of_one_segment_says_nothing(model):
    warn_of_last_segment.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.run_with_cache(make_ids(B, T))


def test_a_flat_text_longer_than_a_segment_is_several(model):
    warn_of_last_segment.cache_clear()
    ids = make_ids(B, model.config.segment_length + 1)
    with pytest.warns(UserWarning, match="the last one's"):
        model.run_with_cache(ids, use_cache=True)


def test_a_wrong_hook_name_is_refused_with_the_nearest(model):
    ids = make_ids(B, T)
    with pytest.raises(UserError, match=NEAR):
        model.run_with_hooks(ids, fwd_hooks=[(TYPO, lambda value, hook: None)])
    with pytest.raises(UserError, match=NEAR), model.hooks(bwd_hooks=[(TYPO, lambda value, hook: None)]):
        pytest.fail("the hook was taken")
    for names in (TYPO, [TYPO], (TYPO,)):
        with pytest.raises(UserError, match=NEAR):
            model.run_with_cache(ids, names_filter=names)


def test_names_of_any_collection_choose_what_is_kept(model):
    name = "blocks.1.mem.hook_read"
    for names in (name, [name], (name,), {name}, lambda hook: hook == name):
        assert set(model.run_with_cache(make_ids(B, T), names_filter=names)[1]) == {name}


def test_the_gradient_of_the_loss_is_kept_under_grad(model):
    ids, name = make_ids(B, T), "blocks.1.mem.hook_read"
    out, cache = model.run_with_cache(ids, labels=ids, incl_bwd=True)
    read = cache[name].clone().requires_grad_()
    loss = model.run_with_hooks(ids, labels=ids, fwd_hooks=[(name, lambda value, hook: read)]).loss
    (by_hand,) = torch.autograd.grad(loss, read)
    torch.testing.assert_close(cache[f"{name}_grad"], by_hand)
    assert by_hand.abs().max() > 0
    torch.testing.assert_close(out.loss, loss)


def test_gradients_without_labels_are_refused_and_leave_no_hook(model):
    with pytest.raises(UserError, match="no loss to backpropagate; give labels=input_ids"):
        model.run_with_cache(make_ids(B, T), incl_bwd=True)
    assert not any(point.fwd_hooks or point.bwd_hooks for point in model.hook_dict.values())


def test_sizes_have_transformer_lens_names_and_are_read_only(model):
    cfg, config = model.cfg, model.config
    assert (cfg.n_layers, cfg.n_heads, cfg.n_key_value_heads) == (3, 2, config.num_key_value_heads)
    assert (cfg.d_model, cfg.d_head, cfg.d_vocab) == (D, D // 2, config.vocab_size)
    assert (cfg.n_ctx, cfg.device) == (config.max_position_embeddings, model.device)
    with pytest.raises(FrozenInstanceError):
        cfg.n_layers = 1


def test_transformer_lens_cache_counts_blocks_from_the_end(model):
    _, cache = model.run_with_cache(make_ids(B, T))
    assert ActivationCache(cache, model)["attn_out", -1] is cache["blocks.2.hook_attn_out"]
