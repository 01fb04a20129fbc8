"""The whole model: nothing leaks from the future, the bank is a value, padding changes nothing."""

import weakref

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from tests.conftest import EVERY_ROUTING, POSITIONAL, SIZES, B, D, S, T, V, make_ids, make_model


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
        overall = model(ids)
        first = model(ids[:, :T])
        second = model(ids[:, T:], memory=first.memory)
    assert torch.equal(overall.logits, torch.cat([first.logits, second.logits], 1))
    assert torch.equal(overall.memory, second.memory)


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
            remaining = out.logits[:, left : left + ids.shape[1]]
            torch.testing.assert_close(remaining, plain.logits, rtol=0, atol=2e-6)
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


def test_labels_of_32_bits_give_the_loss_of_64(model):
    ids = make_ids(B, T)
    with torch.no_grad():
        assert torch.equal(model(ids, labels=ids.int()).loss, model(ids, labels=ids).loss)


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
    expected = ids
    with torch.no_grad():
        for _ in range(T + 3):
            expected = torch.cat([expected, model(expected, memory=bank).logits[:, -1:].argmax(-1)], dim=1)
    generated = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        memory=bank,
        max_new_tokens=T + 3,
        do_sample=False,
        pad_token_id=0,
    )
    assert torch.equal(generated, expected)


def test_all_but_the_memory_has_the_names_of_a_llama_checkpoint(model):
    keys = {"memory_slots", "memory_heads", "segment_length"}
    llama = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in SIZES.items() if k not in keys}))
    ours = {name for name in model.state_dict() if ".mem." not in name}
    assert ours == set(llama.state_dict())


def test_memory_blocks_can_be_chosen():
    model = make_model(memory_layers=[1])
    assert {name.split(".")[2] for name in model.state_dict() if ".mem." in name} == {"1"}


@EVERY_ROUTING
@pytest.mark.parametrize("n_tokens", [1, T - 2, 2 * T, 2 * T + 5])
def test_a_text_may_have_any_length(changes, n_tokens):
    """Its logits are the first ones of any longer text."""
    model, ids = make_model(**changes), make_ids(B, 3 * T)
    with torch.no_grad():
        short, long = model(ids[:, :n_tokens]).logits, model(ids).logits
    torch.testing.assert_close(short, long[:, :n_tokens], rtol=0, atol=2e-6)


def test_banks_of_a_flat_text_are_kept_only_on_request(model):
    alive = []

    def remember(bank_BND, *, hook):
        alive.append(weakref.ref(bank_BND))

    ids = make_ids(B, S * T)
    with torch.no_grad(), model.hooks([("hook_bank", remember)]):
        out = model(ids)
        assert [bank() is None for bank in alive] == [True] * (S - 1) + [False]
        banks = model(ids, output_banks=True).memory_per_segment
    assert out.memory_per_segment is None
    assert len(banks) == S and torch.equal(banks[-1], out.memory)
    with pytest.raises(ValueError, match="output_banks does not go with a cache"):
        model(ids, output_banks=True, use_cache=True)
