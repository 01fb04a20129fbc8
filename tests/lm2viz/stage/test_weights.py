"""The JSON of a model, and the models that have none."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import AddedToken, normalizers
from transformers import PreTrainedTokenizerFast

from lm2core import load
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.bpe import train_tokenizer
from lm2core.text.tokenizer import subword_tokenizer, word_tokenizer
from lm2viz.stage import weights
from lm2viz.stage.weights import FIELDS, model_json
from tests.conftest import POSITIONAL, ROOT, make_model

WORDS = "abcdefghijklmn?"


def small(**changes):
    return LoadedModel("small", make_model(**changes), word_tokenizer(WORDS))


def altered(*, change=lambda parts: None, **tokens):
    """The tokenizer of words after a change of its parts."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer(WORDS).backend_tokenizer,
        **({"pad_token": "[PAD]", "unk_token": "[UNK]"} | tokens),
    )
    change(tokenizer.backend_tokenizer)
    return LoadedModel("small", make_model(), tokenizer)


def lower_and_stripped(backend):
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.StripAccents()])


def test_weights_come_back_from_the_text_as_they_were():
    lm = load("babi-qa1-3")
    copy = json.loads(json.dumps(model_json(lm), allow_nan=False))
    state = lm.model.state_dict()
    assert set(copy["tensors"]) == set(state)
    for name, tensor in copy["tensors"].items():
        values = np.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
        np.testing.assert_array_equal(values, state[name].numpy())
    assert (copy["schema"], copy["name"]) == (1, "babi-qa1-3")
    assert copy["config"]["memory_blocks"] == [0, 1, 2, 3]
    assert copy["config"]["rope_theta"] == 10_000


def test_tied_embeddings_are_sent_once():
    tensors = model_json(small(tie_word_embeddings=True))["tensors"]
    assert "model.embed_tokens.weight" in tensors
    assert "lm_head.weight" not in tensors


def test_the_config_has_every_field_that_the_page_reads():
    config = model_json(small(memory_layers=[2, 0]))["config"]
    assert config["memory_blocks"] == [0, 2]
    assert config["num_key_value_heads"] == 2
    source = "".join(file.read_text() for file in (ROOT / "lm2viz" / "stage").glob("lm2*.js"))
    assert [name for name in (*FIELDS, "rope_theta", "memory_blocks") if name not in source] == []


def test_tokens_stand_at_their_ids():
    tokenizer = model_json(small())["tokenizer"]
    assert tokenizer == {
        "kind": "WordLevel",
        "split": "words",
        "vocabulary": ["[PAD]", "[UNK]", *sorted(WORDS)],
        "unk_id": 1,
        "pad_id": 0,
    }


def test_pieces_of_words_have_their_prefix_and_longest_word():
    pieces = subword_tokenizer(["a"], ["abc abd"], vocab_size=10)
    tokenizer = model_json(LoadedModel("small", make_model(vocab_size=99), pieces))["tokenizer"]
    assert (tokenizer["kind"], tokenizer["prefix"], tokenizer["max_word_length"]) == ("WordPiece", "##", 100)


@pytest.mark.parametrize(
    ("lm", "text"),
    [
        (lambda: load("babi-qa1-10-rmt", baselines=True), "babi-qa1-10-rmt is a baseline (RMTForCausalLM)"),
        (lambda: small(**POSITIONAL), "routing='positional'; the page runs routing='content' only"),
        (lambda: small(hidden_act="gelu"), "hidden_act='gelu'; the page runs hidden_act='silu' only"),
        (lambda: small(attention_bias=True), "attention_bias=True; the page runs attention_bias=False only"),
        (lambda: small(mlp_bias=True), "mlp_bias=True"),
        (
            lambda: small(rope_parameters={"rope_type": "linear", "rope_theta": 10.0, "factor": 2.0}),
            "rope_type='linear'; the page runs rope_type='default' only",
        ),
        (
            lambda: replace(small(), tokenizer=train_tokenizer(["some text"], vocab_size=300)),
            "a tokenizer of another kind (BPE)",
        ),
        (lambda: altered(change=lower_and_stripped), "a tokenizer of another kind (WordLevel)"),
        (
            lambda: altered(extra_special_tokens=[AddedToken("<s>", special=True)]),
            "a tokenizer of another kind",
        ),
    ],
    ids=["baseline", "positional", "gelu", "bias", "MLP bias", "rope", "BPE", "accents", "special token"],
)
def test_a_model_that_the_page_cannot_run_is_refused(lm, text):
    with pytest.raises(UserError) as error:
        model_json(lm())
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_too_large_for_a_page_is_refused(monkeypatch):
    lm = small()
    n = sum(p.numel() for p in lm.model.parameters())
    monkeypatch.setattr(weights, "MAX_PARAMETERS", n)
    model_json(lm)
    monkeypatch.setattr(weights, "MAX_PARAMETERS", n - 1)
    with pytest.raises(
        UserError, match=f"small has {n:,} parameters; a page holds a model of at most {n - 1:,}"
    ):
        model_json(lm)
