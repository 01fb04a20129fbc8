"""The whole model: nothing leaks from the future, the bank is a value, padding changes nothing."""

import math

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from lm2core.config import LM2Config
from lm2core.model import LM2ForCausalLM
from tests.conftest import POSITIONAL, SIZES, B, D, N, S, T, V, make_ids, make_model

EVERY_ROUTING = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory_top_k": 2},
        {"memory_gate_rank": 3},
        {"candidate": "memory"},
        POSITIONAL,
        POSITIONAL | {"candidate": "memory"},
        POSITIONAL | {"memory_gate_rank": 3, "memory_top_k": 2},
    ],
    ids=[
        "content",
        "top-k",
        "thin gates",
        "content, eq. 6",
        "positional",
        "positional, eq. 6",
        "positional, thin, top-k",
    ],
)


@EVERY_ROUTING
@pytest.mark.parametrize("changed", [T - 1, T + 2, 2 * T, 3 * T - 1])
def test_changing_a_token_leaves_every_earlier_logit_bit_identical(changes, changed):
    model, ids = make_model(**changes), make_ids(B, 3 * T)
    other = ids.clone()
    other[:, changed] = (other[:, changed] + 1) % V
    with torch.no_grad():
        before, after = model(ids).logits, model(other).logits
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert not torch.equal(before[:, changed:], after[:, changed:])


@EVERY_ROUTING
def test_changing_a_token_with_padding_leaves_every_earlier_logit_bit_identical(changes):
    model, ids = make_model(**changes), make_ids(B, 3 * T)
    mask = torch.ones_like(ids)
    mask[0, : T - 2] = 0  # left padding that is not a whole segment
    other = ids.clone()
    other[:, 2 * T + 1] = (other[:, 2 * T + 1] + 1) % V
    with torch.no_grad():
        before, after = model(ids, mask).logits, model(other, mask).logits
    assert torch.equal(before[:, : 2 * T + 1], after[:, : 2 * T + 1])
    assert not torch.equal(before, after)


@EVERY_ROUTING
def test_the_bank_is_a_value_two_calls_equal_one(changes):
    model, ids = make_model(**changes), make_ids(B, 2 * T)
    with torch.no_grad():
        whole = model(ids)
        first = model(ids[:, :T])
        second = model(ids[:, T:], memory=first.memory)
    assert torch.equal(whole.logits, torch.cat([first.logits, second.logits], 1))
    assert torch.equal(whole.memory, second.memory)


def test_a_text_leaves_nothing_behind_for_the_next_one(model):
    one, two = make_ids(B, S, T, seed=4), make_ids(B, S, T, seed=5)
    with torch.no_grad():
        fresh = model(two).logits
        model(one)
        assert torch.equal(model(two).logits, fresh)


def test_memory_reaches_the_next_segment(model):
    """The same second segment after two different first ones has different logits."""
    ids = make_ids(2, 2, T)
    ids[1, 1] = ids[0, 1]
    with torch.no_grad():
        logits = model(ids).logits
    assert (logits[0, 1] - logits[1, 1]).abs().max() > 1e-3


def test_without_memory_blocks_nothing_reaches_the_next_segment():
    ids = make_ids(2, 2, T)
    ids[1, 1] = ids[0, 1]
    model = make_model(memory_layers=[])
    with torch.no_grad():
        assert torch.equal(model(ids[:1]).logits[:, 1], model(ids[1:]).logits[:, 1])


@EVERY_ROUTING
def test_a_batch_equals_its_rows_one_by_one(changes):
    model, ids = make_model(**changes), make_ids(3, 2 * T)
    with torch.no_grad():
        batch = model(ids)
        for b in range(3):
            row = model(ids[b : b + 1])
            torch.testing.assert_close(batch.logits[b], row.logits[0], rtol=0, atol=2e-6)
            torch.testing.assert_close(batch.memory[b], row.memory[0], rtol=0, atol=2e-6)


def test_padding_at_any_side_changes_no_result(model):
    ids, pad = make_ids(1, 2 * T + 3), 5
    with torch.no_grad():
        plain = model(ids)
        for left in (0, 2, pad):
            padded = F.pad(ids, (left, pad - left), value=7)
            mask = F.pad(torch.ones_like(ids), (left, pad - left))
            out = model(padded, mask)
            kept = out.logits[:, left : left + ids.shape[1]]
            torch.testing.assert_close(kept, plain.logits, rtol=0, atol=2e-6)
            torch.testing.assert_close(out.memory, plain.memory, rtol=0, atol=2e-6)


@pytest.mark.parametrize("changes", [{}, POSITIONAL, {"memory_top_k": 2}])
@pytest.mark.parametrize("shape", [(B, S, T), (B, S * T), (B, S * T - 2), (B, 3)])
def test_a_text_without_a_mask_is_the_text_with_a_mask_of_ones_to_the_bit(changes, shape):
    model, ids = make_model(**changes), make_ids(*shape)
    with torch.no_grad():
        plain, masked = model(ids, labels=ids), model(ids, torch.ones_like(ids), labels=ids)
        for name in ("logits", "loss", "memory"):
            assert torch.equal(plain[name], masked[name]), name
        if len(shape) == 2:
            last = model(ids, logits_to_keep=2).logits
            assert torch.equal(last, plain.logits[:, -2:])


def test_sentences_of_different_length_and_number_do_not_disturb_each_other(model):
    ids, mask = make_ids(2, S, T), torch.ones(2, S, T, dtype=torch.long)
    mask[0, :, T - 2 :] = 0  # short sentences
    mask[1, S - 1 :] = 0  # one sentence less
    with torch.no_grad():
        both = model(ids, mask)
        short = model(ids[:1, :, : T - 2])
        fewer = model(ids[1:, : S - 1])
    torch.testing.assert_close(both.logits[:1, :, : T - 2], short.logits, rtol=0, atol=2e-6)
    torch.testing.assert_close(both.memory[:1], short.memory, rtol=0, atol=2e-6)
    torch.testing.assert_close(both.memory[1:], fewer.memory, rtol=0, atol=2e-6)


def test_a_question_that_is_only_read_leaves_the_bank_alone(model):
    bank = model(make_ids(B, S, T)).memory
    out = model(make_ids(B, 1, T, seed=9), memory=bank, write_memory=False)
    assert torch.equal(out.memory, bank)


def test_positional_update_is_equation_6_on_the_model_s_own_gates():
    """One block, no W_c: the bank it leaves is g_in * tanh(E_mem) + g_forget * M of its hook points."""
    model = make_model(**POSITIONAL, candidate="memory", num_hidden_layers=1)
    ids = make_ids(B, 1, T)
    with torch.no_grad():
        out, cache = model.run_with_cache(ids)
    mem = {name.rsplit("hook_", 1)[-1]: value for name, value in cache.items() if ".mem." in name}
    by_hand = mem["gate_in_token"] * torch.tanh(mem["read"]) + mem["gate_forget_token"] * torch.eye(T, D)
    torch.testing.assert_close(out.memory, by_hand)


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


def test_saved_and_reloaded_model_gives_bit_equal_logits(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(again, LM2ForCausalLM)
    ids = make_ids(B, S, T)
    with torch.no_grad():
        assert torch.equal(model(ids).logits, again(ids).logits)


@pytest.mark.parametrize("has_memory", [False, True])
def test_greedy_generation_is_the_argmax_token_by_token(model, has_memory):
    """Across two segment borders, and going on from a bank when one is given."""
    ids = make_ids(B, T - 1)
    bank = model(make_ids(B, S, T, seed=6)).memory.detach() if has_memory else None
    told = ids
    with torch.no_grad():
        for _ in range(T + 3):
            told = torch.cat([told, model(told, memory=bank).logits[:, -1:].argmax(-1)], dim=1)
    generated = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        memory=bank,
        max_new_tokens=T + 3,
        do_sample=False,
        pad_token_id=0,
    )
    assert torch.equal(generated, told)


def test_a_misspelt_argument_is_refused(model):
    with pytest.raises(TypeError, match="attention_masks"):
        model(make_ids(B, T), attention_masks=None)


def test_all_but_the_memory_has_the_names_of_a_llama_checkpoint(model):
    keys = {"memory_slots", "memory_heads", "segment_length"}
    llama = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in SIZES.items() if k not in keys}))
    ours = {name for name in model.state_dict() if ".mem." not in name}
    assert ours == set(llama.state_dict())


def test_memory_blocks_can_be_chosen():
    model = make_model(memory_layers=[1])
    assert {name.split(".")[2] for name in model.state_dict() if ".mem." in name} == {"1"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"memory_heads": 5}, "memory_heads=5 must divide hidden_size=12"),
        ({"memory_slots": 0}, "memory_slots=0 must be a whole number, at least 1"),
        ({"memory_slots": 2.5}, "memory_slots=2.5 must be a whole number"),
        ({"num_attention_heads": 0}, "num_attention_heads=0 must be a whole number, at least 1"),
        ({"num_attention_heads": 6, "num_key_value_heads": 4}, "num_key_value_heads=4 must divide"),
        ({"num_attention_heads": 4}, "head_dim=3 must be even"),
        ({"attention_dropout": 0.5}, "attention_dropout=0.5 is not supported"),
        ({"hidden_act": "nope"}, "hidden_act='nope' is not an activation"),
        ({"memory_top_k": 1.5}, "memory_top_k=1.5 must be between 1 and memory_slots=5"),
        ({"memory_top_k": 6}, "memory_top_k=6 must be between 1 and memory_slots=5"),
        ({"routing": "random"}, "routing='random' must be one of content, positional"),
        ({"memory_gate_rank": 13}, "memory_gate_rank=13 must be between 1 and hidden_size=12"),
        ({"memory_layers": [3]}, "memory_layers=\\[3\\] must name blocks 0..2"),
        ({"routing": "positional"}, "segment_length=6 must equal memory_slots=5"),
        ({"memory_slotz": 3}, "unknown config key memory_slotz; did you mean memory_slots"),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_sentence(changes, text):
    with pytest.raises(ValueError, match=text):
        LM2Config(**(SIZES | changes))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"input_ids": torch.zeros(2, 0, dtype=torch.long)}, "at least one token"),
        (
            {"input_ids": make_ids(B, T), "attention_mask": torch.ones(B, 2)},
            "must be a tensor of input_ids' shape",
        ),
        ({"input_ids": make_ids(B, T), "memory": torch.zeros(3, N, D)}, r"memory must be \(2, 5, 12\)"),
        ({"input_ids": make_ids(B, T) + V}, "token ids must be in 0..16"),
        ({"input_ids": [[1, 2], [3]]}, "input_ids must be a tensor, got list; pad texts of different length"),
        ({"input_ids": make_ids(B, T), "memory": [0.0]}, r"memory must be a tensor \(2, 5, 12\) .*got list"),
        ({"input_ids": make_ids(B, T), "labels": make_ids(B, 3)}, r"labels \(2, 3\) must have input_ids'"),
        ({"input_ids": make_ids(B, T), "labels": make_ids(B, T) + V}, "labels must be in 0..16, or -100"),
        (
            {"input_ids": make_ids(B, T), "labels": make_ids(B, T).float()},
            "whole numbers .*, got torch.float3",
        ),
        ({"input_ids": make_ids(B, T), "labels": [[1]]}, "labels must be a tensor of whole .*, got list"),
        ({"input_ids": make_ids(B, T), "attention_mask": [1]}, "attention_mask list must be a tensor"),
        ({"input_ids": make_ids(B, 1), "labels": make_ids(B, 1)}, "leave nothing to predict"),
        ({"input_ids": make_ids(B, T), "labels": torch.full((B, T), -100)}, "leave nothing to predict"),
        ({"input_ids": make_ids(B, T), "logits_to_keep": -1}, "logits_to_keep=-1 and backprop_segments=0"),
        ({"input_ids": make_ids(B, T), "backprop_segments": -2}, "backprop_segments=-2 must be 0"),
    ],
)
def test_inputs_that_cannot_work_are_refused_with_what_was_got(model, call, text):
    with pytest.raises(ValueError, match=text):
        model(**call)


def test_positional_routing_refuses_a_segment_that_is_not_one_token_a_slot():
    with pytest.raises(ValueError, match="segments of 6 tokens, one a slot, got 4"):
        make_model(**POSITIONAL)(make_ids(B, S, 4))


@EVERY_ROUTING
@pytest.mark.parametrize("n_tokens", [1, T - 2, 2 * T, 2 * T + 5])
def test_a_text_may_have_any_length(changes, n_tokens):
    """Its logits are the first ones of any longer text."""
    model, ids = make_model(**changes), make_ids(B, 3 * T)
    with torch.no_grad():
        short, long = model(ids[:, :n_tokens]).logits, model(ids).logits
    torch.testing.assert_close(short, long[:, :n_tokens], rtol=0, atol=2e-6)
