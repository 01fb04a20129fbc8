"""The sliding window: with closed memory an LM2 is the Llama whose attention slides in the same way."""

import pytest
import torch
from transformers import LlamaForCausalLM

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, llama_fields

N_TOKENS, LENGTH, WINDOW = 23, 5, 7
SIZES = {
    "vocab_size": 41,
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "memory_slots": 9,
    "memory_heads": 3,
    "segment_length": LENGTH,
}
NARROW = {"memory_width": 16, "memory_heads": 2, "memory_taps": [0, 1], "memory_layers": [2]}
PATH = NARROW | {"memory_path_block": True}
SINKS = {"attention_sinks": 2}
POSITIONAL = {"routing": "positional", "memory_slots": LENGTH}


def lm2(*, opened=False, **changes):
    """A random LM2; its memory adds nothing, or something."""
    torch.manual_seed(3)
    config = LM2Config(**SIZES | {"attention_window": WINDOW, "memory_starts_closed": not opened} | changes)
    return LM2ForCausalLM(config).eval()


def llama_of(model):
    """transformers' Llama with the backbone's weights."""
    llama = LlamaForCausalLM._from_config(LlamaForCausalLM.config_class(**llama_fields(model.config)))
    weights = {name: value for name, value in model.state_dict().items() if ".mem." not in name}
    llama.load_state_dict(weights)
    return llama.eval()


def sliding_logits(model, ids):
    """The Llama's logits where token t sees tokens from ``WINDOW`` before its segment to itself."""
    t = torch.arange(ids.shape[1])
    first = (t // model.config.segment_length) * model.config.segment_length - model.config.attention_window
    visible = (t <= t[:, None]) & (t >= first[:, None])
    mask = torch.zeros(len(t), len(t)).masked_fill(~visible, -torch.inf)
    return llama_of(model)(ids, attention_mask=mask.expand(len(ids), 1, -1, -1)).logits


def texts(n=3, n_tokens=N_TOKENS):
    return torch.randint(1, 41, (n, n_tokens), generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize("changes", [{}, NARROW, PATH, POSITIONAL], ids=["full", "narrow", "path", "rows"])
@torch.no_grad()
def test_with_closed_memory_the_logits_are_the_sliding_window_llamas(changes):
    model, ids = lm2(**changes), texts()
    expected = sliding_logits(model, ids)
    torch.testing.assert_close(model(ids).logits, expected, rtol=1e-4, atol=1e-5)
    assert (model(ids).logits - lm2(attention_window=0, **changes)(ids).logits).abs().max() > 0.01


@pytest.mark.parametrize("position_type", ["llama3", "yarn"])
@torch.no_grad()
def test_other_kinds_of_positions_slide_too(position_type):
    scaled = {"rope_type": position_type, "rope_theta": 10_000.0, "factor": 4.0}
    scaled |= {"original_max_position_embeddings": 16}
    if position_type == "llama3":
        scaled |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    model, ids = lm2(rope_parameters=scaled), texts(2)
    torch.testing.assert_close(model(ids).logits, sliding_logits(model, ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_sinks", [0, 3])
@torch.no_grad()
def test_a_view_as_long_as_the_text_keeps_the_whole_context(n_sinks):
    before = 4 * LENGTH  # tokens before the last segment
    model, ids = lm2(attention_window=before - n_sinks, attention_sinks=n_sinks), texts()
    torch.testing.assert_close(model(ids).logits, llama_of(model)(ids).logits, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_first_tokens_stay_in_view_right_before_the_window():
    """In one block keys depend on their own token alone, so the view can be given to a Llama as a text."""
    model, ids = lm2(num_hidden_layers=1, **SINKS), texts()
    logits, llama = model(ids).logits, llama_of(model)
    for start in range(3 * LENGTH, N_TOKENS, LENGTH):
        view = torch.cat([ids[:, :2], ids[:, start - WINDOW : start + LENGTH]], dim=1)
        n = view.shape[1] - 2 - WINDOW
        torch.testing.assert_close(
            logits[:, start : start + n], llama(view).logits[:, -n:], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "changes", [{}, SINKS, PATH | SINKS, POSITIONAL], ids=["full", "sinks", "path", "rows"]
)
@torch.no_grad()
def test_padding_between_the_tokens_of_a_text_changes_nothing(changes):
    """Wherever it is: on the left, between tokens, on the right, over several segments."""
    model, ids = lm2(opened=True, **changes), texts(4, 16)
    plain = model(ids)
    generator = torch.Generator().manual_seed(1)
    places = torch.stack([torch.randperm(N_TOKENS, generator=generator)[:16].sort().values for _ in ids])
    places[0], places[1] = torch.arange(16), torch.arange(N_TOKENS - 16, N_TOKENS)
    padded = torch.zeros(4, N_TOKENS, dtype=torch.long).scatter(1, places, ids)
    mask = torch.zeros_like(padded).scatter(1, places, 1)
    out = model(padded, mask)
    logits = out.logits.gather(1, places[..., None].expand(-1, -1, 41))
    torch.testing.assert_close(logits, plain.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.memory, plain.memory, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, SINKS, PATH | SINKS, POSITIONAL], ids=["full", "sinks", "path", "rows"]
)
@torch.no_grad()
def test_the_cache_continues_a_text_with_its_window(changes):
    """In pieces of any length, texts with padding of their own among them."""
    model, ids = lm2(opened=True, **changes), texts(3)
    mask = torch.ones_like(ids)
    mask[1, :4], mask[2, 9:11] = 0, 0
    expected = model(ids, mask)
    out = model(ids[:, :4], mask[:, :4], use_cache=True)
    logits = [out.logits]
    for start, end in ((4, 5), (5, 6), (6, 13), (13, N_TOKENS)):
        out = model(
            ids[:, start:end], mask[:, start:end], past_key_values=out.past_key_values, use_cache=True
        )
        logits.append(out.logits)
    is_token = mask.bool()
    got = torch.cat(logits, 1)[is_token]
    torch.testing.assert_close(got, expected.logits[is_token], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_generation_says_what_calls_without_a_cache_say():
    model, ids = lm2(opened=True, **SINKS), texts(2, 9)
    said = model.generate(ids, max_new_tokens=11, do_sample=False, eos_token_id=None, pad_token_id=0)
    for _ in range(11):
        ids = torch.cat([ids, model(ids, logits_to_keep=1).logits.argmax(-1)], dim=1)
    assert torch.equal(said, ids)


@torch.no_grad()
def test_given_positions_that_count_on_through_the_text_are_the_default():
    model, ids = lm2(opened=True), texts(2)
    given = model(ids, position_ids=torch.arange(4, 4 + N_TOKENS)[None])
    torch.testing.assert_close(given.logits, model(ids).logits, rtol=1e-4, atol=1e-5)


def test_gradients_reach_back_through_the_window_and_stop_where_they_are_cut():
    model, ids = lm2(), texts(1, 3 * LENGTH)
    labels = torch.full_like(ids, -100)
    labels[:, -1] = ids[:, -1]

    def reached(**options):
        embeds = model.get_input_embeddings()(ids).detach().requires_grad_()
        model(inputs_embeds=embeds, labels=labels, **options).loss.backward()
        return embeds.grad[0].abs().sum(-1) > 0

    first = 2 * LENGTH - WINDOW  # the oldest token in view of the last segment
    assert reached()[first:-1].all()
    assert reached().any()
    assert not reached(backprop_segments=1)[: 2 * LENGTH].any()


def test_checkpointed_gradients_are_the_same():
    ids, gradients = texts(2), []
    for is_checkpointed in (False, True):
        model = lm2(opened=True).train()
        if is_checkpointed:
            model.activation_checkpointing_enable()
        model(ids, labels=ids).loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["attention_window", "attention_sinks"])
@pytest.mark.parametrize("value", [-1, 2.5])
def test_an_impossible_view_is_refused(name, value):
    with pytest.raises(UserError, match=f"{name}=.* must be a whole number, at least 0"):
        LM2Config(**{name: value})


def test_sinks_without_a_window_are_refused():
    with pytest.raises(UserError, match="attention_sinks=4 need an attention_window; set one"):
        LM2Config(attention_sinks=4)


def test_attention_weights_of_a_text_are_refused_with_a_window():
    with pytest.raises(UserError, match="hook_pattern"):
        lm2()(texts(), output_attentions=True)
