"""A batch's questions are run once each, to the last token alone, with the gradients of running them all."""

import pytest
import torch
import torch.nn.functional as F

from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import ARCHITECTURES, make_model
from lm2core.model.config import LM2Config
from lm2core.model.output import KeyedBank
from lm2core.reading.continuing import answer_logits
from lm2core.text.tokenizer import word_tokenizer
from lm2core.training.batches import Stage, StorySource
from lm2core.training.stories import batch_logits
from lm2core.training.story_batch import StoryBatch
from tests.conftest import POSITIONAL, SIZES, B, N, S, T, V, make_ids, with_values
from tests.conftest import make_model as make_lm2

TOKENIZER = word_tokenizer(babi_words(("qa1", "qa2")))
PATH = {"memory_width": 18, "memory_layers": [2], "memory_taps": [1, 2], "memory_path_block": True}


@pytest.fixture(scope="module")
def batch() -> StoryBatch:
    source = StorySource(TOKENIZER, n_stories=3, questions_per_sentence=3.0, seed=0)
    return source.batch(2, Stage(("qa1", "qa2"), 6, n_before=4), {"qa1": 1.0, "qa2": 1.0})


def make(architecture: str) -> torch.nn.Module:
    """An untrained model that is trained on words; an ARMT as if it had learned to write values."""
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(TOKENIZER), "segment_length": 16}
    model = make_model(LM2Config(**sizes), architecture)
    return with_values(model) if architecture == "armt" else model


def loss_of_all(model: torch.nn.Module, batch: StoryBatch) -> torch.Tensor:
    """The loss of every question that was drawn, each run on its own bank and to the end."""
    drawn = torch.arange(len(batch.tasks)).repeat_interleave(batch.n_asked.long())
    with torch.no_grad():
        memory = model(batch.before_ids, (batch.before_ids != 0).long()).memory
    story = model(batch.story_ids, (batch.story_ids != 0).long(), memory)
    ids = batch.question_ids[drawn]
    memory = story.memory_at(batch.story[drawn], batch.segment[drawn])
    return F.cross_entropy(answer_logits(model, ids, (ids != 0).long(), memory), batch.answer_ids[drawn])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_question_once_has_the_gradients_of_all_that_were_drawn(architecture, batch):
    model = make(architecture).double()  # ARMT divides by weights that may be small: it has large gradients
    loss = loss_of_all(model, batch)
    names, weights = zip(*model.named_parameters(), strict=True)
    expected = torch.autograd.grad(loss, weights, allow_unused=True)
    once = batch.mean(F.cross_entropy(batch_logits(model, batch), batch.answer_ids, reduction="none"))
    torch.testing.assert_close(once, loss, rtol=1e-6, atol=1e-6)
    given = torch.autograd.grad(once, weights, allow_unused=True)
    for name, one, other in zip(names, given, expected, strict=True):
        assert (one is None) == (other is None), name
        if one is not None:
            largest = max(1.0, float(other.abs().max()))
            torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * largest, msg=name)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_as_many_rows_are_run_as_there_are_different_questions(architecture, batch, monkeypatch):
    model, n_rows = make(architecture), []
    real = model.forward

    def forward(ids, *args, **kwargs):
        n_rows.append(len(ids))
        return real(ids, *args, **kwargs)

    monkeypatch.setattr(model, "forward", forward)
    batch_logits(model, batch)
    places = zip(batch.story.tolist(), batch.segment.tolist(), batch.question_ids.tolist(), strict=True)
    different = {(story, segment, *question) for story, segment, question in places}
    assert n_rows == [3, 3, len(different)]
    assert len(different) < batch.n_asked.sum() == 3 * 18


@pytest.mark.parametrize("changes", [{}, {"memory_layers": [0]}, {"memory_top_k": 2}, POSITIONAL, PATH])
def test_the_last_token_alone_has_the_logits_that_it_has_among_all(changes):
    model, ids, mask = make_lm2(**changes), make_ids(5, T), torch.ones(5, T, dtype=torch.long)
    for row, n_tokens in enumerate((1, 3, T, 4, 0)):
        mask[row, n_tokens:] = 0
    memory = torch.randn(5, *model.new_memory(1).shape[1:], generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        alone = model(ids[:, None], mask[:, None], memory, write_memory=False, last_token_only=True)
        whole = answer_logits(model, ids, mask, memory)
        unpadded = model(ids[:, None], None, memory, write_memory=False, last_token_only=True)
        full = model(ids[:, None], None, memory, write_memory=False)
    assert alone.logits.shape == (5, 1, 1, V)
    torch.testing.assert_close(alone.logits[:4, 0, 0], whole[:4], rtol=1e-5, atol=1e-6)
    assert alone.logits.isfinite().all()  # also of a text without a token
    torch.testing.assert_close(unpadded.logits[:, :, 0], full.logits[:, :, -1], rtol=1e-5, atol=1e-6)


def test_the_last_block_runs_for_the_last_token_alone():
    model, shapes = make_lm2(), {}
    names = ["blocks.1.hook_mlp_out", "blocks.2.hook_mlp_out", "blocks.2.mem.hook_read"]
    hooks = [(name, lambda value, hook: shapes.update({hook.name: value.shape[1]})) for name in names]
    with model.hooks(hooks):
        model(make_ids(B, 1, T), write_memory=False, last_token_only=True)
    assert shapes == dict(zip(names, (T, 1, 1), strict=True))


def test_questions_take_the_keys_and_values_of_the_story_s_own_reads():
    model, story, segment = make_lm2(), torch.tensor([1, 0, 1]), torch.tensor([0, S - 1, 2])
    out = model(make_ids(B, S, T))
    keyed = out.keyed_at(story, segment)
    assert isinstance(keyed, KeyedBank)
    assert torch.equal(keyed.bank_BND, out.memory_at(story, segment))
    for given, block in zip(keyed.slots, model.model.blocks(), strict=True):
        torch.testing.assert_close(given, block.mem.slots(keyed.bank_BND, block.mem.slot_key))
    calls = []
    for block in model.model.blocks():
        block.mem.bank_proj.register_forward_hook(lambda *_: calls.append(1))
    question = make_ids(3, 1, T, seed=4)
    read = model(question, None, keyed, write_memory=False)
    assert not calls
    torch.testing.assert_close(read.logits, model(question, None, keyed.bank_BND, write_memory=False).logits)
    assert len(calls) == 3


def test_without_gradients_or_where_they_are_cut_only_banks_are_kept():
    model, ids, at = make_lm2(), make_ids(B, S, T), torch.tensor([0])
    assert model(ids, backprop_segments=2).slots_per_segment is None
    with torch.no_grad():
        out = model(ids)
    assert out.slots_per_segment is None
    assert out.keyed_at(at, at).shape == (1, N, SIZES["hidden_size"])


@pytest.mark.parametrize("architecture", ("lm2", "rmt", "llama-full"))
def test_only_a_question_can_be_run_for_its_last_token(architecture):
    model = make(architecture)
    for ids, options in (
        (make_ids(B, T), {"write_memory": False}),
        (make_ids(B, 2, T), {"write_memory": False}),
        (make_ids(B, 1, T), {}),
        (make_ids(B, 1, T), {"write_memory": False, "labels": make_ids(B, 1, T)}),
    ):
        with pytest.raises(ValueError, match=r"last_token_only needs input_ids \(B,1,T\) and write_memory=F"):
            model(ids, last_token_only=True, **options)
