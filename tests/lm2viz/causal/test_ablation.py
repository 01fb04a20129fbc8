"""Which sentences answers need: exactly those without which the story, read again, is answered otherwise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.baselines.architectures import make_model
from lm2core.model.config import LM2Config
from lm2core.reading.answers import memory_after, ranked_words, read_stories
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2core.reading.story_traces import record_questions
from lm2viz.causal import ablate_sentences, answers_without_sentences, record_slot_losses
from lm2viz.provenance import STORY_HOOKS, agreement, trace_answer
from tests.handmade import SLOT_OF, TOKENIZER, handmade_lm

SENTENCES = ("Mary kitchen", "John office", "Mary garden", "Sandra hallway", "John office", "Mary office")


def question_trace(person: str, n_statements: int, support: int) -> Question:
    return Question(f"where {person}?", "", (support,), n_statements)


QUESTIONS = (
    question_trace("Mary", 2, 0),
    question_trace("Mary", 5, 2),
    question_trace("John", 5, 4),
    question_trace("Sandra", 6, 3),
)
STORY = TextStory(SENTENCES, QUESTIONS)
OTHER = TextStory(SENTENCES[::-1], (question_trace("John", 3, 1), question_trace("Mary", 6, 5)))


def random_lm(architecture: str) -> LoadedModel:
    config = LM2Config(
        vocab_size=len(TOKENIZER),
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=2,
        memory_heads=3,
        memory_slots=5,
    )
    return LoadedModel(architecture, make_model(config, architecture).eval(), TOKENIZER)


@pytest.mark.parametrize("architecture", ["lm2", "rmt", "armt", "llama-window", "llama-full"])
def test_a_sentence_left_out_is_a_story_told_without_it(architecture):
    lm = random_lm(architecture)
    for question, (given, p) in zip(
        QUESTIONS, answers_without_sentences(lm, SENTENCES, QUESTIONS), strict=True
    ):
        n = question.n_statements
        message = [SENTENCES[:n], *(SENTENCES[:i] + SENTENCES[i + 1 : n] for i in range(n))]
        expected = [dict(ranked_words(lm, question.text, memory_after(lm, some))) for some in message]
        assert given == max(expected[0], key=expected[0].get)
        np.testing.assert_allclose(p, [words[given] for words in expected], atol=1e-6)


def test_the_handmade_model_needs_the_last_move_unless_it_was_told_twice():
    outcome = ablate_sentences(handmade_lm(), [STORY, OTHER])
    assert outcome.needed() == [(0,), (2,), (), (3,), (1,), (5,)]
    assert outcome.estimate().value == pytest.approx(5 / 6)
    assert outcome.estimate("other sentences").value == 0
    assert outcome.rows["given"].unique().tolist() == ["kitchen", "garden", "office", "hallway"]


def test_sentences_left_out_in_parts_are_those_left_out_at_once(monkeypatch):
    lm = random_lm("lm2")
    at_once = answers_without_sentences(lm, SENTENCES, QUESTIONS)
    monkeypatch.setattr("lm2viz.causal.ablation._ROWS", 2)
    for (word, p), (again, q) in zip(
        at_once, answers_without_sentences(lm, SENTENCES, QUESTIONS), strict=True
    ):
        assert word == again
        np.testing.assert_allclose(p, q, atol=1e-6)


def test_provenance_is_scored_by_what_the_answer_needs():
    lm = handmade_lm()
    stories = ablate_sentences(lm, [STORY, OTHER]).as_supports([STORY, OTHER])
    trace = read_stories(lm, stories, names=STORY_HOOKS)
    questions = record_questions(lm, trace)
    assert [q["support"] for q in questions.info["asked"]] == [(0,), (2,), (), (3,), (1,), (5,)]
    result = agreement(trace, questions, truth="the sentences it needs")
    assert (result.estimate().value, result.estimate().n) == (1, 5)
    assert "scored against the sentences it needs" in result.summary()
    assert "excluded: 1 questions (without supports)" in result.summary()
    assert "scored against the story's supporting facts" in agreement(trace, questions).summary()


def test_the_handmade_model_loses_its_answer_without_the_slot_of_the_person_only():
    lm = handmade_lm()
    trace = read_stories(lm, [STORY, OTHER], names=STORY_HOOKS)
    question_trace = record_slot_losses(lm, trace, record_questions(lm, trace))
    for question in question_trace.info["asked"]:
        losses = np.array(question["slot_losses"])
        slot = SLOT_OF[question["text"].split()[1].rstrip("?")]
        assert losses[slot] > 1
        np.testing.assert_allclose(np.delete(losses, slot), 0, atol=1e-5)
    result = agreement(trace, question_trace)
    assert result.estimate(method="mattered").value == 1
    assert "  origin, weighted by ablation: 100.0%" in result.summary()
    measured = trace_answer(trace, question_trace, 1)
    np.testing.assert_allclose(measured.mattered, measured.origin, atol=1e-3)  # it reads no other slot


def test_a_loss_is_that_of_the_same_question_asked_of_the_bank_without_the_slot():
    lm = random_lm("lm2")
    trace = read_stories(lm, [STORY], names=STORY_HOOKS)
    question_trace = record_slot_losses(lm, trace, record_questions(lm, trace))
    bank = torch.tensor(trace.select("hook_bank", story=0, segment=4))
    bank[3] = lm.model.new_memory(1)[0, 3]
    before = dict(ranked_words(lm, "where Mary?", memory_after(lm, SENTENCES[:5])))
    given = max(before, key=before.get)
    after = dict(ranked_words(lm, "where Mary?", bank[None]))
    expected = np.log(before[given]) - np.log(after[given])
    assert question_trace.info["asked"][1]["slot_losses"][3] == pytest.approx(expected, abs=1e-4)


def test_without_measured_losses_no_figure_says_what_mattered():
    lm = handmade_lm()
    trace = read_stories(lm, [STORY], names=STORY_HOOKS)
    questions = record_questions(lm, trace)
    assert trace_answer(trace, questions, 0).mattered is None
    assert set(agreement(trace, questions).rows["method"]) == {"written", "origin"}


def test_slots_that_are_never_missed_bring_nothing():
    lm = handmade_lm()
    trace = read_stories(lm, [STORY], names=STORY_HOOKS)
    questions = record_questions(lm, trace)
    idle = [q | {"slot_losses": [-0.5, 0.0, -1e-9, 0.0, 0.0]} for q in questions.info["asked"]]
    outcome = trace_answer(trace, replace(questions, info={**questions.info, "asked": idle}), 2)
    assert not outcome.mattered.any()


def test_questions_of_other_stories_are_refused():
    lm = handmade_lm()
    with pytest.raises(ValueError, match=r"the ablation has 4 questions and the stories 2 others"):
        ablate_sentences(lm, [STORY]).as_supports([OTHER])


def test_an_untrained_model_stands_beside_as_control():
    lm = random_lm("lm2")
    outcome = ablate_sentences(lm, [STORY, OTHER], untrained=untrained(lm, 3))
    for kind in ("supporting facts", "other sentences"):
        assert f"{kind} that are needed" in outcome.summary()
    assert outcome.summary().count("untrained") == 2
    bars, control = outcome.figure().data
    assert list(bars.y) == [outcome.estimate(kind).value for kind in ("supporting facts", "other sentences")]
    assert control.name == "control: untrained model"
    assert outcome.table().groupby("is_control").size().to_dict() == {False: 27, True: 27}


def test_questions_without_known_supports_are_all_other_sentences():
    story = replace(STORY, questions=(Question("where Mary?", "", (), 3),))
    outcome = ablate_sentences(handmade_lm(), [story])
    assert outcome.needed() == [(2,)]
    assert "supporting facts" not in outcome.summary()
    assert len(outcome.figure().data[0].x) == 1


def test_stories_that_ask_nothing_are_refused():
    with pytest.raises(ValueError, match="no question after a sentence"):
        ablate_sentences(handmade_lm(), [TextStory(SENTENCES, (Question("where Mary?", "", (), 0),))])
