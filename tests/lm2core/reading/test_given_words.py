"""Answers of several tokens: the model's own most likely continuation, until the word ends."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory, read_babi, write_babi
from lm2core.baselines.architectures import make_model
from lm2core.evaluation.stories import predict, score
from lm2core.model.config import LM2Config
from lm2core.reading import given_words as module
from lm2core.reading.answers import (
    answers_by_step,
    ask,
    bank_after,
    memory_after,
    ranked_words,
    read_stories,
    read_story,
)
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import encode_questions, greedy_answers
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.many_questions import ask_many
from lm2core.reading.story_traces import record_questions
from lm2core.text.sentence_tokens import begin_sentences
from lm2core.text.tokenizer import encode_segments
from tests.conftest import POSITIONAL
from tests.conftest import make_model as small_model
from tests.small_llama import STORY, save_llama, small_tokenizer, with_memory

QUESTIONS = ("Where is Mary?", "Who has the violin?", "Where is John now? John is in the")


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = small_tokenizer()
    begin_sentences(tokenizer, 0)
    return tokenizer


@pytest.fixture(scope="module")
def lm(tmp_path_factory, tokenizer):
    return LoadedModel("small", with_memory(save_llama(tmp_path_factory.mktemp("llama"))), tokenizer)


class Continuing(nn.Module):
    """Says after each token which one comes next, with probability ``sure``; the memory is not looked at."""

    device = torch.device("cpu")

    def __init__(self, tokenizer, text, sure):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=len(tokenizer))
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        self.next = dict(zip(ids, ids[1:], strict=False))
        assert len(self.next) == len(ids) - 1, "each token of the text has one successor"
        self.high = math.log(sure / (1 - sure) * (len(tokenizer) - 1))

    def forward(self, ids, mask, memory, *, write_memory):
        assert not write_memory
        logits = torch.zeros(*ids.shape, self.config.vocab_size)
        for token, after in self.next.items():
            logits[ids == token, after] = self.high
        return SimpleNamespace(logits=logits)


@pytest.mark.parametrize(
    ("text", "prompt", "word", "n_tokens"),
    [
        ("in thicket. John", "in", "thicket", 7),
        ("in thicket John", "in", "thicket", 7),
        ("the kitchen and", "the", "kitchen", 1),
        ("the, kitchen", "the", ",", 1),
        ("is 37 and", "is", "37", 3),
        ("in Å. Who", "in", "Å", 3),
    ],
)
def test_a_word_ends_before_a_space_or_punctuation(tokenizer, text, prompt, word, n_tokens):
    lm = LoadedModel("scripted", Continuing(tokenizer, text, 0.9), tokenizer)
    ids, mask = encode_questions(lm, [prompt])
    ((given, probability),) = greedy_answers(lm, ids, mask, torch.zeros(1, 1, 1))
    assert given == word
    assert probability == pytest.approx(0.9**n_tokens, rel=1e-4)


def test_a_word_ends_with_the_text_and_at_the_latest_after_the_longest_word(tokenizer):
    ended = Continuing(tokenizer, "in thicket", 0.9)
    ended.next[tokenizer("thicket", add_special_tokens=False)["input_ids"][-1]] = tokenizer.eos_token_id
    endless = Continuing(tokenizer, "in the", 0.9)
    (a,) = tokenizer.convert_tokens_to_ids(["a"])
    endless.next |= {tokenizer.convert_tokens_to_ids("Ġin"): a, a: a}
    for model, word in ((ended, "thicket"), (endless, "a" * module.MAX_TOKENS)):
        lm = LoadedModel("scripted", model, tokenizer)
        ((given, _),) = greedy_answers(lm, *encode_questions(lm, ["in"]), torch.zeros(1, 1, 1))
        assert given == word


def test_the_word_is_what_the_model_generates_and_the_bank_stays_as_it_was(lm):
    bank = memory_after(lm, STORY)
    before = bank.clone()
    ids, mask = encode_questions(lm, QUESTIONS[2:])
    ((word, probability),) = greedy_answers(lm, ids, mask, bank)
    new = lm.model.generate(
        ids, memory=bank, write_memory=False, max_new_tokens=module.MAX_TOKENS, do_sample=False,
        output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    tokens = lm.tokenizer.convert_ids_to_tokens(new.sequences[0, ids.shape[1] :].tolist())
    decode = lm.tokenizer.backend_tokenizer.decoder.decode
    n_tokens = next(n for n in range(1, len(tokens) + 1) if decode(tokens[:n]).strip() == word)
    best = [float(scores.softmax(-1).max()) for scores in new.scores[:n_tokens]]
    assert probability == pytest.approx(math.prod(best), rel=1e-4)
    assert torch.equal(bank, before)


def test_every_way_to_ask_gives_the_same_word_and_probability(lm, monkeypatch):
    """Alone, beside others, after each sentence, recorded, in an evaluation, and in parts."""
    trace = read_story(lm, STORY)
    bank = bank_after(trace, 2, lm.model)
    expected = [ranked_words(lm, text, bank)[0] for text in QUESTIONS]
    stories = [TextStory(STORY, tuple(Question(text, "kitchen", (), 2) for text in QUESTIONS))]

    def given():
        yield [ask(lm, text, bank).words[0] for text in QUESTIONS]
        yield [word for word, _ in ask_many(lm, QUESTIONS, bank)]
        yield [answers_by_step(lm, STORY, text)[2][0] for text in QUESTIONS]
        yield predict(lm, stories)[0]
        recorded = record_questions(lm, read_stories(lm, stories))
        yield [question["given"] for question in recorded.info["asked"]]

    for limit in (module.MAX_LOGITS, 1):
        monkeypatch.setattr(module, "MAX_LOGITS", limit)
        for words in given():
            assert words == [word for word, _ in expected]
        for (_, probability), (_, alone) in zip(ask_many(lm, QUESTIONS, bank), expected, strict=True):
            assert probability == pytest.approx(alone, rel=1e-4)


def test_prompts_from_a_file_are_scored_as_whole_words(tmp_path, tokenizer):
    story = TextStory(STORY, (Question("Where is John? John is in", "Thicket", (1,), 2),))
    write_babi(tmp_path / "stories.txt", [story])
    (read,) = read_babi(tmp_path / "stories.txt")
    assert read.questions == story.questions

    class Reading(Continuing):
        def forward(self, ids, mask, memory=None, *, write_memory=True, logits_to_keep=0):
            output = super().forward(ids, mask, memory, write_memory=False)
            return SimpleNamespace(logits=output.logits, memory_at=lambda story, segment: story[:, None])

    lm = LoadedModel("scripted", Reading(tokenizer, "in thicket. Mary", 0.9), tokenizer)
    assert predict(lm, [read]) == [["thicket"]]
    assert score([read], [["thicket"]]).accuracy == 1


@pytest.mark.parametrize("architecture", ["rmt", "armt", "llama-window", "llama-full"])
def test_a_baseline_says_beside_other_questions_what_it_says_alone(tokenizer, architecture):
    torch.manual_seed(0)
    config = LM2Config(vocab_size=len(tokenizer), num_hidden_layers=2, hidden_size=16, memory_slots=4)
    lm = LoadedModel("baseline", make_model(config, architecture).eval(), tokenizer)
    ids, mask = encode_questions(lm, QUESTIONS[2:] + ("Mary", "The violin is"))
    read = lm.model(*encode_segments(tokenizer, [STORY]))
    memory = read.memory_at(torch.zeros(3, dtype=torch.long), torch.tensor([0, 1, 1]))
    together = greedy_answers(lm, ids, mask, memory)
    for i, (word, probability) in enumerate(together):
        ((alone, expected),) = greedy_answers(lm, ids[[i]], mask[[i]], memory[torch.tensor([i])])
        assert word == alone and probability == pytest.approx(expected, rel=1e-4)


def test_a_word_beyond_the_segments_length_is_said_as_within_it(lm):
    """Keys and values are kept only where the question and the longest word fit into one segment."""
    bank, (ids, mask) = memory_after(lm, STORY), encode_questions(lm, QUESTIONS[2:])
    expected = greedy_answers(lm, ids, mask, bank)
    length = lm.model.config.segment_length
    try:
        lm.model.config.segment_length = ids.shape[1] + 1
        ((word, probability),) = greedy_answers(lm, ids, mask, bank)
    finally:
        lm.model.config.segment_length = length
    assert [word] == [given for given, _ in expected]
    assert probability == pytest.approx(expected[0][1], rel=1e-4)


@pytest.mark.parametrize("with_path", [True, False])
def test_one_question_of_many_banks_is_each_asked_alone_and_runs_its_first_blocks_once(with_path, tmp_path):
    model = (
        with_memory(save_llama(tmp_path))
        if with_path
        else small_model(num_hidden_layers=3, memory_layers=[1, 2]).eval()
    )
    ids, mask = torch.tensor([[5, 7, 3, 0]]), torch.tensor([[1, 1, 1, 0]])
    banks = torch.randn(6, model.config.memory_slots, model.config.bank_width)
    rows = []
    first, last = (f"blocks.{block}.hook_resid_post" for block in (0, 2))
    with (
        torch.no_grad(),
        model.hooks([(name, lambda x, hook: rows.append(len(x))) for name in (first, last)]),
    ):
        together = answer_logits(model, ids, mask, banks)
    assert rows == [1, 6]
    with torch.no_grad():
        alone = torch.cat([answer_logits(model, ids, mask, bank[None]) for bank in banks])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)
    assert (together - together[:1]).abs().max() > 1e-3


def test_a_question_of_many_banks_of_positional_routing_is_run_for_each():
    model = small_model(**POSITIONAL).eval()
    n = model.config.memory_slots
    ids, mask = torch.arange(n)[None] % 9 + 1, torch.ones(1, n, dtype=torch.long)
    banks = torch.randn(4, n, model.config.bank_width)
    with torch.no_grad():
        together = answer_logits(model, ids, mask, banks)
        alone = torch.cat([answer_logits(model, ids, mask, bank[None]) for bank in banks])
        assert answer_logits(model, ids, mask, None).shape == together[:1].shape
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)
