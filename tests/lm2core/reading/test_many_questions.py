"""Many questions at once are answered as each is alone."""

import pytest
import torch

from lm2core import ask_many, make_stories
from lm2core.reading import many_questions
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.checkpoints import load

LM = load("babi-qa1-3")
TEXTS = ["Where is Mary?", "Where is John", "Where is the apple?"]
BANKS = torch.cat([memory_after(LM, story.sentences[:6]) for story in make_stories("qa2", 3, seed=0)])


def test_each_question_is_answered_from_its_own_bank(monkeypatch):
    monkeypatch.setattr(many_questions, "BATCH", 2)
    for (word, probability), text, bank in zip(ask_many(LM, TEXTS, BANKS), TEXTS, BANKS, strict=True):
        first, p = ranked_words(LM, text, bank[None])[0]
        assert word == first
        assert probability == pytest.approx(p, abs=1e-5)


def test_one_bank_serves_all_questions():
    alone = [ask_many(LM, [text], BANKS[:1])[0][0] for text in TEXTS]
    assert [word for word, _ in ask_many(LM, TEXTS, BANKS[:1])] == alone


def test_what_cannot_be_asked_is_told():
    with pytest.raises(ValueError, match="no question to ask"):
        ask_many(LM, [], BANKS)
    with pytest.raises(ValueError, match=r"banks of shape \(2, 24, 64\) for 3 questions; give \(Q,N,D\)"):
        ask_many(LM, TEXTS, BANKS[:2])
    with pytest.raises(ValueError, match="unknown words: Zoe"):
        ask_many(LM, ["Where is Zoe?"], BANKS[:1])
    with pytest.raises(ValueError, match="1 values of the banks are NaN"):
        ask_many(
            LM,
            TEXTS,
            BANKS.index_put((torch.tensor(1), torch.tensor(2), torch.tensor(3)), torch.tensor(torch.nan)),
        )
