"""A long sample is recorded as it is read: same segments, same bank, facts told apart from background."""

import numpy as np
import pytest
import torch

from lm2core.babilong.samples import BabiLongSample, Piece
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.long_traces import record_sample
from lm2core.text.tokenizer import word_tokenizer
from tests.conftest import make_model

LENGTH = 6  # tokens of a segment of the small model
FACT, NOISE = "mary went home .", "the tea was so hot that nobody drank it ."
TOKENIZER = word_tokenizer(f"{FACT} {NOISE} where is mary ?".split())


@pytest.fixture(scope="module")
def lm():
    return LoadedModel("small", make_model(vocab_size=len(TOKENIZER)), TOKENIZER)


def sample(*pieces, facts=(FACT,)):
    return BabiLongSample("qa1", "1k", "where is mary ?", "home", pieces, facts)


def test_a_long_sentence_is_cut_and_its_parts_are_its_text(lm):
    trace = record_sample(lm, sample(Piece(NOISE), Piece(FACT, 0)))
    first, second, fact = trace.info["segments"]
    assert [len(words) for words in trace.tokens[0]] == [LENGTH, 4, 4]
    assert f"{first['text']} {second['text']}" == NOISE
    assert (first["piece"], second["piece"], fact["piece"]) == (0, 0, 1)
    assert (first["fact"], second["fact"], fact["fact"]) == (None, None, 0)


def test_the_bank_is_the_one_the_model_has_without_a_recorder(lm):
    trace = record_sample(lm, sample(Piece(NOISE), Piece(FACT, 0)))
    memory = None
    for words in trace.tokens[0]:
        ids = torch.tensor([[TOKENIZER.convert_tokens_to_ids(words)]])
        with torch.no_grad():
            memory = lm.model(ids, None, memory).memory
    bank = trace.select("hook_bank", story=0, segment=2)
    np.testing.assert_allclose(bank, memory[0].numpy(), atol=1e-6)


def test_unknown_background_is_counted_and_an_unknown_fact_is_refused(lm):
    trace = record_sample(lm, sample(Piece("the tea λ § ."), Piece(FACT, 0)))
    assert trace.info["n_unknown"] == 2
    with pytest.raises(ValueError, match="unknown words: gandalf"):
        record_sample(lm, sample(Piece("gandalf went home .", 0), facts=("gandalf went home .",)))


def test_a_trace_over_its_budget_is_refused(lm):
    with pytest.raises(ValueError, match="the budget is 1KB"):
        record_sample(lm, sample(Piece(FACT, 0)), budget="1KB")
