"""A sample of any size goes through an analysis part by part, with the numbers of all at once."""

import numpy as np
import pandas as pd
import pytest

from lm2core.babi.tasks import make_stories
from lm2core.reading import answers
from lm2core.reading.checkpoints import load
from lm2core.reading.story_traces import record_questions
from lm2viz.provenance import STORY_HOOKS, agreement
from lm2viz.sample import parts, story_sample
from lm2viz.sample.on_demand import TracesOnDemand
from lm2viz.sample.story_sample import StorySample
from tests.handmade import handmade_lm, handmade_stories


def test_a_part_is_made_when_it_is_asked_for_and_only_the_last_is_kept():
    made = []
    traces = TracesOnDemand(3, lambda i: made.append(i) or f"part {i}")
    assert made == []
    assert [*zip(traces, traces.map(str.upper), strict=True)] == [
        ("part 0", "PART 0"),
        ("part 1", "PART 1"),
        ("part 2", "PART 2"),
    ]
    assert made == [0, 1, 2]
    assert traces[0] == "part 0"
    assert made == [0, 1, 2, 0]
    assert [*traces[1:]] == ["part 1", "part 2"]
    with pytest.raises(IndexError):
        traces[3]


def _of_qa1(lm):
    traces = StorySample("qa1", 4, seed=1000).read_on_demand(lm, STORY_HOOKS)
    return len(traces), agreement(traces, traces.map(lambda trace: record_questions(lm, trace)))


def test_provenance_does_not_depend_on_the_size_of_its_parts(monkeypatch):
    lm = load("babi-qa1-3")
    n_parts, at_once = _of_qa1(lm)
    monkeypatch.setattr(parts, "PART_SENTENCES", 1)
    n_small_parts, in_parts = _of_qa1(lm)
    assert (n_parts, n_small_parts) == (1, 4)
    pd.testing.assert_frame_equal(in_parts.rows, at_once.rows, rtol=1e-5)
    np.testing.assert_allclose(in_parts.error, at_once.error, atol=1e-5)


def test_parts_of_a_large_model_have_fewer_stories(monkeypatch):
    sample, lm = StorySample(handmade_stories(6, n_sentences=4)), handmade_lm()
    assert len(sample.read_on_demand(lm)) == 1
    bank = lm.model.new_memory(1).nbytes
    monkeypatch.setattr(parts, "PART_BUDGET", f"{8.5 * bank / 1000}KB")  # of two stories
    assert len(sample.read_on_demand(lm)) == 3


def test_a_sample_over_the_budget_is_read_on_demand(monkeypatch):
    lm, stories = handmade_lm(), handmade_stories(6, n_sentences=4)
    monkeypatch.setattr(parts, "PART_SENTENCES", 4)
    sizes, read = [], answers.read_stories
    monkeypatch.setattr(
        answers, "read_stories", lambda *args, **named: sizes.append(len(args[1])) or read(*args, **named)
    )
    one = read(lm, stories[:1]).arrays["hook_bank"].nbytes
    monkeypatch.setattr(story_sample, "BUDGET", f"{2 * one / 1000}KB")
    with pytest.raises(ValueError, match="the budget is"):
        StorySample(stories).read(lm, budget=story_sample.BUDGET)
    traces = StorySample(stories).read_on_demand(lm)
    assert sizes == []  # nothing is read before it is asked for
    assert sum(len(trace.tokens) for trace in traces) == 6
    assert sizes == [1] * 6


def test_unknown_words_are_refused_before_a_part_is_read():
    with pytest.raises(ValueError, match="unknown words"):
        StorySample(make_stories("qa1", 2, seed=0)).read_on_demand(handmade_lm())
