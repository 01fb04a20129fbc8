"""The change of the bank, against the update written out: what is kept plus what is written."""

import numpy as np
import pytest

from lm2core.babi.vocabulary import babi_words
from lm2core.compare import bank_change as module
from lm2core.compare.bank_change import bank_change
from lm2core.compare.story_set import StorySet
from lm2core.reading.answers import read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer
from tests.conftest import make_model


@pytest.fixture
def lm(monkeypatch) -> LoadedModel:
    monkeypatch.setattr(module, "N_STORIES", 3)
    monkeypatch.setattr(module, "N_CONTEXT_SENTENCES", 4)
    monkeypatch.setattr(module, "N_MEASURED", 2)
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    return LoadedModel("test", make_model(vocab_size=len(tokenizer), memory_layers=[0, 2]), tokenizer)


def by_hand(lm: LoadedModel, stories, block: int) -> float:
    changes = []
    for sentences in stories:
        trace = read_story(lm, sentences)
        for segment in (4, 5):
            pre, keep, write = (
                trace.select(f"blocks.{block}.mem.hook_{name}", story=0, segment=segment)
                for name in ("bank_pre", "gate_forget", "write")
            )
            edited = ((keep * pre + write - pre) ** 2).sum() ** 0.5 / (pre**2).sum() ** 0.5
            changes.append(edited / len(trace.tokens[0][segment]))
    return float(np.mean(changes))


def test_every_figure_is_the_update_written_out(lm):
    figures = {(x["reads"], x["block"]): x for x in bank_change(lm, "qa1")}
    assert {block for _, block in figures} == {0, 2}
    going_on = [s.sentences for s in StorySet(task="qa1", n_told=6, n_stories=3).stories()]
    expected = {
        "statements": going_on,
        "noise": [s.sentences for s in StorySet(task="qa1", n_told=4, n_noise=2, n_stories=3).stories()],
        "repeats": [(*s[:4], s[3], s[3]) for s in going_on],
    }
    for name, stories in expected.items():
        for block in (0, 2):
            figure = figures[name, block]
            assert figure["change_per_token"] == pytest.approx(by_hand(lm, stories, block), rel=1e-4)
            assert figure["n"] == 6
