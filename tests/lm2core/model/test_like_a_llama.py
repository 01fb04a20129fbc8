"""What a Llama of transformers takes and gives, an LM2 does too; with a closed memory, the same values."""

import pytest
import torch

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from tests.conftest import POSITIONAL, B, T, V, make_ids, make_model
from tests.lm2core.model.test_from_llama import IDS, N, llama_folder

MASK = torch.ones_like(IDS)
MASK[0, :9] = 0
ASKED = {"output_hidden_states": True, "output_attentions": True}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A Llama, and the LM2 made of it, whose memory is still closed."""
    folder = tmp_path_factory.mktemp("llama")
    llama = llama_folder(folder)
    llama.set_attn_implementation("eager")
    return llama, LM2ForCausalLM.from_pretrained(folder, memory_slots=N)


def close(got, expected, tokens=slice(None)):
    torch.testing.assert_close(got[tokens], expected[tokens], rtol=0, atol=5e-6)


@torch.no_grad()
@pytest.mark.parametrize("mask", [None, MASK], ids=["no padding", "padding on the left"])
def test_hidden_states_and_attentions_are_the_llamas(pair, mask):
    theirs, ours = (m(IDS, attention_mask=mask, **ASKED) for m in pair)
    tokens = (MASK if mask is not None else torch.ones_like(IDS)) == 1
    assert len(ours.hidden_states) == len(theirs.hidden_states) == 4
    for got, expected in zip(ours.hidden_states, theirs.hidden_states, strict=True):
        close(got, expected, tokens)
    assert len(ours.attentions) == len(theirs.attentions) == 3
    for got, expected in zip(ours.attentions, theirs.attentions, strict=True):
        close(got.transpose(1, 2), expected.transpose(1, 2), tokens)


@torch.no_grad()
def test_embeddings_and_positions_are_taken_in_place_of_ids(pair):
    llama, model = pair
    embeds = model.get_input_embeddings()(IDS)
    positions = torch.arange(IDS.shape[1]).expand_as(IDS) * 3
    expected = llama(inputs_embeds=embeds, attention_mask=MASK, position_ids=positions).logits
    got = model(inputs_embeds=embeds, attention_mask=MASK, position_ids=positions).logits
    close(got, expected, MASK == 1)
    assert not torch.allclose(got, model(IDS, MASK).logits)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, POSITIONAL], ids=["content", "positional"])
def test_texts_of_several_segments_may_be_given_as_embeddings(changes):
    model = make_model(**changes)
    ids = make_ids(B, 3 * T - 2)
    embeds = model.get_input_embeddings()(ids)
    later = torch.arange(ids.shape[1])[None] + 100  # rotary positions are relative
    expected, got = model(ids, labels=ids), model(inputs_embeds=embeds, position_ids=later, labels=ids)
    close(got.logits, expected.logits)
    close(got.memory, expected.memory)
    close(got.loss[None], expected.loss[None])
    segments = make_ids(B, 3, T)
    assert torch.equal(
        model(inputs_embeds=model.get_input_embeddings()(segments)).logits, model(segments).logits
    )


@torch.no_grad()
def test_attentions_stop_at_the_segment_and_leave_padding_out():
    model = make_model()
    ids, mask = make_ids(B, 2 * T + 1), torch.ones(B, 2 * T + 1, dtype=torch.long)
    mask[1, [0, 4, 12]] = 0
    output = model(ids, mask, **ASKED)
    segment = (mask.cumsum(1) - 1) // T
    allowed = (segment[:, :, None] == segment[:, None]) & (mask[:, :, None] * mask[:, None] == 1)
    for pattern in output.attentions:
        assert torch.equal(pattern > 0, (allowed.tril())[:, None].expand_as(pattern))
        close(pattern.sum(-1), mask[:, None].expand(pattern.shape[:3]).float())
    (given,) = {p.shape for p in model(make_ids(B, 3, T), output_attentions=True).attentions}
    assert given == (B, 3, model.config.num_attention_heads, T, T)


def test_return_dict_false_gives_a_tuple():
    model = make_model()
    options = {"labels": make_ids(B, T), "output_banks": True, "return_dict": False}
    loss, logits, memory, banks = model(make_ids(B, T), **options)
    assert loss.ndim == 0 and logits.shape == (B, T, V)
    assert torch.equal(memory, banks[-1])


@pytest.mark.parametrize(
    ("ids", "labels", "mask"),
    [
        (make_ids(B, T), torch.full((B, T), -100), None),
        (make_ids(B, 1), make_ids(B, 1), None),
        (make_ids(B, 2), torch.tensor([[-100, 5], [3, 4]]), torch.tensor([[0, 1], [1, 0]])),
    ],
    ids=["all ignored", "one token", "first tokens and padding"],
)
def test_a_batch_with_nothing_to_predict_has_a_loss_and_a_gradient_of_zero(ids, labels, mask):
    model = make_model()
    loss = model(ids, mask, labels=labels).loss
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())
    assert model.lm_head.weight.grad is not None


@torch.no_grad()
def test_generation_continues_embeddings_and_returns_what_blocks_did():
    model = make_model()
    ids, mask = make_ids(B, T + 2), torch.ones(B, T + 2, dtype=torch.long)
    mask[0, :3] = 0
    options = {"max_new_tokens": T, "do_sample": False, "pad_token_id": 0, "attention_mask": mask}
    options |= {"eos_token_id": 3}
    expected = model.generate(ids, **options)[:, T + 2 :]
    out = model.generate(
        inputs_embeds=model.get_input_embeddings()(ids), return_dict_in_generate=True, **ASKED, **options
    )
    assert torch.equal(out.sequences, expected)
    first, *later = out.attentions
    assert first[0].shape == (B, 2, T + 2, T + 2)
    assert {block.shape[2] for block, *_ in later} == {1}
    assert len(out.hidden_states) == len(out.attentions) == expected.shape[1]


@torch.no_grad()
def test_compiled_segments_say_that_they_record_nothing():
    model = make_model()

    def without_hooks(ids, _, bank, *__):
        return torch.zeros(*ids.shape, 12), bank, (), None

    model._segment = without_hooks
    with pytest.raises(UserError, match="compiled segments record nothing"):
        model(make_ids(B, T), output_hidden_states=True)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor:UserWarning")
def test_dynamic_int8_runs_and_stays_near_the_model():
    for changes in ({}, {"memory_gate_rank": 3}):
        model, ids = make_model(**changes), make_ids(B, 2 * T)
        small = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
        assert isinstance(small.model.layers[0].mem.bank_proj, torch.ao.nn.quantized.dynamic.Linear)
        error = (small(ids).logits - model(ids).logits).abs().mean()
        assert 0 < error < 0.1 * model(ids).logits.std()
