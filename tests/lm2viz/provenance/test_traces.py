"""Traces that provenance cannot be told from are refused, with what to do."""

from dataclasses import replace

import pytest

from lm2core.reading.answers import read_stories
from lm2viz.provenance import STORY_HOOKS, agreement, trace_answer, unroll
from tests.handmade import handmade_lm
from tests.lm2viz.provenance.conftest import STORIES, random_lm


def test_missing_hooks_are_named_with_the_command(handmade):
    trace, questions = handmade
    short = {name: array for name, array in trace.arrays.items() if "write_read" not in name}
    axes = {name: trace.axes[name] for name in short}
    with pytest.raises(
        ValueError,
        match=r"hook_write_read, blocks\.1\.mem\.hook_write_read_pattern; record them with: lm2 trace",
    ):
        unroll(replace(trace, arrays=short, axes=axes), 0, 0)
    with pytest.raises(ValueError, match=r"lacks blocks\.0\.hook_resid_pre.*names=.*lm2 trace --hooks 'mem"):
        unroll(read_stories(handmade_lm(), STORIES), 0, 0, follow="stream")
    with pytest.raises(ValueError, match=r"lacks blocks\.1\.hook_mem_out; record it with record_questions"):
        bare = {name: array for name, array in questions.arrays.items() if "mem_out" not in name}
        trace_answer(
            trace, replace(questions, arrays=bare, axes={name: questions.axes[name] for name in bare}), 0
        )


def test_following_something_else_is_refused(handmade):
    with pytest.raises(ValueError, match="unknown follow='keys'; choose one of: copies, stream"):
        unroll(handmade[0], 0, 0, follow="keys")


def test_positional_routing_is_refused():
    lm = random_lm(routing="positional", memory_slots=2, segment_length=2)  # a slot for each word
    trace = read_stories(lm, STORIES[:2], names=STORY_HOOKS)
    with pytest.raises(ValueError, match="positional routing are token positions.*routing='content'"):
        unroll(trace, 0, 0)


def test_traces_of_different_models_are_refused(handmade, random):
    (expected, questions), (_, others) = handmade, random
    with pytest.raises(ValueError, match="different models: handmade and random"):
        agreement(expected, others)
    with pytest.raises(ValueError, match="different models: handmade and random"):
        agreement([expected, random[0]], [questions, others])
    with pytest.raises(ValueError, match="2 story traces and 1 question traces; give one"):
        agreement([expected, expected], questions)


def test_a_question_without_a_sentence_is_refused(handmade):
    trace, questions = handmade
    first, *rest = questions.info["asked"]

    def story_with_question(**changes):
        return replace(questions, info={**questions.info, "asked": [first | changes, *rest]})

    with pytest.raises(ValueError, match=r"is asked before any sentence; ask it after at least one"):
        trace_answer(trace, story_with_question(n_statements=0), 0)
    with pytest.raises(
        ValueError, match=r"asked after sentence 8 of story 0, which the story trace does not have"
    ):
        trace_answer(trace, story_with_question(n_statements=8), 0)
    with pytest.raises(ValueError, match=r"no questions; make it with record_questions"):
        trace_answer(trace, trace, 0)
