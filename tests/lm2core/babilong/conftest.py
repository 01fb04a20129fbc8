"""Tokenizers of two kinds, and noise counted with each."""

import pytest

from lm2core.babi.vocabulary import WORDS, babi_words
from lm2core.babilong.background_text import Noise, open_noise
from lm2core.babilong.excerpts import Background
from lm2core.text.bpe import train_tokenizer
from lm2core.text.tokenizer import subword_tokenizer


@pytest.fixture(scope="session")
def noise() -> Noise:
    return open_noise(split="test")


@pytest.fixture(scope="session", params=["words and their parts", "bytes"])
def tokenizer(request, noise):
    if request.param == "bytes":
        return train_tokenizer(noise.sentences, vocab_size=600)
    return subword_tokenizer(babi_words(WORDS), noise.sentences, vocab_size=500)


@pytest.fixture(scope="session")
def background(noise, tokenizer) -> Background:
    return Background(noise, tokenizer)
