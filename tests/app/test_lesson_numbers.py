"""Every number of a lesson, computed again by a plain loop."""

import math
import re

import numpy as np
import pytest
from scipy.stats import entropy

from app.loaders.lessons import lesson, load_measured
from lm2core.babi.text import TextStory
from lm2core.compare import published
from lm2core.reading.answers import read_stories
from lm2core.reading.checkpoints import load
from lm2core.reading.story_traces import record_questions
from lm2viz.causal import ClampGate, Zero, run
from lm2viz.causal.running import ask_banks
from lm2viz.lessons.lesson import MODEL, lesson_sample

PAPER = "What the paper showed"


@pytest.fixture(scope="module")
def lm():
    return load(MODEL)


def read_as_one(lm):
    """The stories of the lessons in one trace; lessons read them in parts."""
    return read_stories(lm, lesson_sample().stories)


@pytest.mark.slow
def test_the_lesson_on_slots_counts_what_a_plain_loop_counts(lm):
    n_changed = []
    for story in read_as_one(lm).arrays["hook_bank"]:
        size = [np.sqrt(np.mean((story[1, n] - story[0, n]) ** 2)) for n in range(story.shape[1])]
        n_changed.append(np.mean([x > max(size) / 2 for x in size]))
    assert load_measured("What is a slot?").value.value == pytest.approx(np.mean(n_changed))


def sentences_of(trace):
    return [
        (story, s, len(words))
        for story, sentences in enumerate(trace.tokens)
        for s, words in enumerate(sentences)
    ]


@pytest.mark.slow
def test_the_lesson_on_writing_counts_what_a_plain_loop_counts(lm):
    measured = load_measured("Writing")
    for each, expected in zip(
        lesson_sample().model_and_control(lm), (measured.value, measured.control), strict=True
    ):
        trace, shares = read_as_one(each), []
        for story, segment, n_words in sentences_of(trace):
            if n_words != 6:
                continue
            written = np.zeros(6)
            for block in trace.blocks:
                claims, gates = (
                    trace.select(f"blocks.{block}.mem.{hook}", story=story, segment=segment)
                    for hook in ("hook_write_pattern", "hook_gate_in_token")
                )
                for word, slot in np.ndindex(6, claims.shape[1]):
                    taken = max(sum(claims[w, slot] for w in range(6)), 1.0)
                    written[word] += claims[word, slot] / taken * gates[word].mean()
            shares.append(written[4] / sum(written))  # "mary went to the KITCHEN ."
        assert expected.value == pytest.approx(np.mean(shares), abs=1e-6)


@pytest.mark.slow
def test_the_lesson_on_forgetting_counts_what_a_plain_loop_counts(lm):
    trace, of_widest, of_others = read_as_one(lm), [], []
    for story, segment, _ in sentences_of(trace):
        where = {"story": story, "segment": segment}
        opened_by, kept_by = (
            [trace.select(f"blocks.{b}.mem.{hook}", **where) for b in trace.blocks]
            for hook in ("hook_gate_in", "hook_gate_forget")
        )
        remaining = [
            np.mean([math.prod(float(of_block[n, d]) for of_block in kept_by) for d in range(64)])
            for n in range(24)
        ]
        opened = [sum(of_block[n].mean() for of_block in opened_by) for n in range(24)]
        widest = opened.index(max(opened))
        of_widest.append(remaining[widest])
        of_others.append(np.mean([remaining[n] for n in range(24) if n != widest]))
    measured = load_measured("Forgetting")
    assert measured.value.value == pytest.approx(np.mean(of_widest), abs=1e-6)
    assert measured.control.value == pytest.approx(np.mean(of_others), abs=1e-6)
    assert "0.9 per sentence sounds high, but keeps only 0.35 after ten" in lesson("Forgetting").moral
    assert round(0.9**10, 2) == 0.35


@pytest.mark.slow
def test_the_lesson_on_reading_counts_what_a_plain_loop_counts(lm):
    measured = load_measured("Reading")
    for each, expected in zip(
        lesson_sample().model_and_control(lm), (measured.value, measured.control), strict=True
    ):
        question_trace = record_questions(each, read_as_one(each))
        widths = {True: [], False: []}
        for q, question in enumerate(question_trace.info["asked"]):
            last = len(question_trace.tokens[q][0]) - 1
            of_blocks = []
            for block in question_trace.blocks:
                heads = question_trace.select(f"blocks.{block}.mem.hook_read_pattern", story=q, segment=0)[
                    :, last
                ]
                of_blocks.append(np.mean([2 ** entropy(head, base=2) / len(head) for head in heads]))
            widths[question["story"] % 2 == 0].append(of_blocks)
        narrowest = np.mean(widths[True], axis=0).argmin()
        assert expected.value == pytest.approx(np.mean(widths[False], axis=0)[narrowest], abs=1e-4)


@pytest.mark.slow
def test_the_lesson_on_causes_loses_the_answers_that_a_run_without_the_slot_loses(lm):
    """Zero one slot after the sentence before the question, in each story for itself."""
    shown = load_measured("Cause and correlation").chart.figure().data[0]
    assert len(shown.y) == 24
    n_lost, n_asked = {13: 0, 5: 0}, 0
    for story in lesson_sample().stories:
        clean = run(lm, [story])
        for i, question in enumerate(q for q in story.questions if q.n_statements):
            if "Mary" not in question.text:
                continue
            bank = clean.question_banks[i : i + 1]
            right = ask_banks(lm, [question.text], bank).argmax() == clean.answer_ids[i]
            for slot in n_lost:
                edited = bank.clone()
                edited[:, slot] = 0
                is_right = ask_banks(lm, [question.text], edited).argmax() == clean.answer_ids[i]
                n_lost[slot] += int(right) - int(is_right)
            n_asked += 1
    for slot, n in n_lost.items():
        assert shown.y[slot] == pytest.approx(n / n_asked, abs=1e-9)


@pytest.mark.slow
def test_the_lesson_on_gates_counts_right_answers_with_the_gate_held(lm):
    held = run(lm, lesson_sample().stories, [ClampGate(gate="forget", value=1.0)])
    n_right = sum(a == b for a, b in zip(held.words, held.answers, strict=True))
    assert load_measured("Why a gate?").value.value == n_right / len(held.words)


def test_the_lesson_on_the_paper_shows_the_printed_figures():
    measured = load_measured(PAPER)
    lm2, rmt = published.BABILONG["128K"][-1], published.BABILONG["128K"][-2]
    assert measured.value.value == pytest.approx(lm2 - rmt)
    assert [bar.name for bar in measured.chart.figure().data] == ["LM2-1.7B", "RMT-1.7B"]


@pytest.mark.slow
def test_the_lesson_on_causes_shows_a_slot_whose_erasure_turns_the_answer_and_one_whose_does_not(lm):
    live = load_measured("Cause and correlation").live
    decoded = int(re.findall(r"slot \*\*(\d+)\*\*", live.text)[1])
    told = lesson_sample().stories[live.story]
    story = TextStory(told.sentences, tuple(q for q in told.questions if q.n_statements == live.step))
    answers = [run(lm, [story], [Zero((slot,), step=live.step)]).words for slot in (live.slot, decoded)]
    (right,) = (question.answer for question in story.questions)
    assert answers[0] != (right,) and answers[1] == (right,)
