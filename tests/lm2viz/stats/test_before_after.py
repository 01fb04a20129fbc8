"""Reads before and after updates: an address that appears when its slot is written moves them by 0.8."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2core.babi.story import Statement
from lm2core.reading.answers import read_stories
from lm2core.reading.story_traces import record_questions
from lm2viz.stats import ReadSpec, compare_reads, replace_questions
from lm2viz.stats.before_after import BEFORE_TO_AFTER, OTHER_STORY, UNTRAINED
from lm2viz.story.read_shift import total_variation
from tests.handmade import MEMORY_BLOCK, N_SLOTS, PLACES, SHARP, SLOT_OF, handmade_lm, story_of
from tests.lm2viz.stats.test_gates import untrained_lm

MARY, AGAIN = SLOT_OF["Mary"], "where Mary?"
LOOK = ReadSpec(before=2, after=4, block=MEMORY_BLOCK)


def reader_whose_slots_have_no_address_before_they_are_written():
    """A fresh slot n is e_n, of norm sqrt(width); W_K takes its address back, a written one keeps it."""
    lm = handmade_lm()
    mem = lm.model.model.layers[MEMORY_BLOCK].mem
    width = mem.q_proj.weight.shape[0]
    with torch.no_grad():
        mem.bank_proj.weight[:N_SLOTS, :N_SLOTS] = -SHARP / width**0.5 * torch.eye(N_SLOTS)
    return lm


def stories(n=6):
    """Mary comes in with the third sentence; three of the four are about others."""
    statement = [("John", 0), ("Sandra", 1), ("Mary", 2), ("John", 3)]
    return [
        story_of([Statement(who, "move", PLACES[(i + b) % 4]) for who, i in statement], "Mary")
        for b in range(n)
    ]


@pytest.fixture(scope="module")
def question_trace():
    lm = reader_whose_slots_have_no_address_before_they_are_written()
    return record_questions(lm, replace_questions(read_stories(lm, stories()), AGAIN, [1, 2, 4]))


@pytest.fixture(scope="module")
def outcome(question_trace):
    return compare_reads(question_trace, LOOK)


def test_the_read_moves_to_the_slot_that_was_written_by_four_fifths(outcome):
    """Nothing has Mary's address before: a fifth each. After: all on her slot. ``where`` asks for nobody."""
    table = outcome.table().set_index(["word", "slot"])
    for word in ("1:mary", "2:?"):
        row = table.loc[(word, MARY)]
        assert (row["before"], row["after"], row["change"]) == pytest.approx((0.2, 1.0, 0.8), abs=1e-3)
        assert (row["low"], row["high"]) == pytest.approx((0.8, 0.8), abs=1e-3)
    assert ((table["after_low"] <= table["after"]) & (table["after"] <= table["after_high"])).all()
    assert outcome.reads.words == ("where", "mary", "?")
    np.testing.assert_allclose(outcome.distances[BEFORE_TO_AFTER].value, [0.0, 0.8, 0.8], atol=1e-3)
    assert outcome.means[BEFORE_TO_AFTER].value == pytest.approx(1.6 / 3, abs=1e-3)


def test_banks_of_other_stories_are_read_alike_where_slots_are_found_by_address(outcome):
    np.testing.assert_allclose(outcome.distances[OTHER_STORY].value, 0, atol=1e-3)


def test_a_fixed_address_is_read_before_and_after():
    lm = handmade_lm()
    question_trace = record_questions(lm, replace_questions(read_stories(lm, stories(3)), AGAIN, [2, 4]))
    np.testing.assert_allclose(
        compare_reads(question_trace, LOOK).distances[BEFORE_TO_AFTER].value, 0, atol=1e-6
    )


def test_distance_is_the_share_that_moves():
    first, second = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), np.array([[0.0, 0.5, 0.5], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(total_variation(first, second), [0.5, 0.0])
    assert total_variation(np.eye(3)[0], np.eye(3)[1]) == 1


def test_reads_are_those_of_the_block_head_and_time_that_are_named():
    lm = untrained_lm()
    question_trace = record_questions(lm, replace_questions(read_stories(lm, stories(4)), AGAIN, [4, 1]))
    pattern = question_trace.arrays["blocks.2.mem.hook_read_pattern"]
    one = compare_reads(question_trace, ReadSpec(before=1, after=4, block=2, head=1))
    place = next(
        i for i, q in enumerate(question_trace.info["asked"]) if (q["story"], q["n_statements"]) == (3, 1)
    )
    np.testing.assert_array_equal(one.reads.before[3], pattern[place, 0, 1])
    mean = compare_reads(question_trace, ReadSpec(before=1, after=4, block=2))
    np.testing.assert_allclose(mean.reads.before[3], pattern[place, 0].mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(mean.reads.after.sum(axis=-1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="no head 3; choose 0 to 2, or None for the mean"):
        compare_reads(question_trace, ReadSpec(before=1, after=4, block=2, head=3))
    with pytest.raises(ValueError, match=r"lacks blocks.7.mem.hook_read_pattern; .* blocks \[0, 1, 2\]"):
        compare_reads(question_trace, ReadSpec(before=1, after=4, block=7))


def test_summary_table_and_figure_hold_the_controls(question_trace, outcome):
    control = untrained_lm(num_hidden_layers=2)
    untrained = record_questions(control, replace_questions(read_stories(control, stories()), AGAIN, [2, 4]))
    with_control = compare_reads(question_trace, LOOK, untrained=untrained)
    assert set(with_control.distances) == {BEFORE_TO_AFTER, OTHER_STORY, UNTRAINED}
    summary = with_control.summary()
    assert summary.startswith(
        "'where Mary?' after 2 sentences and after 4 sentences, handmade, block 1, mean"
    )
    assert summary.count(OTHER_STORY) == summary.count(UNTRAINED) == 4
    assert "largest change: 1:mary at slot 3" in summary or "largest change: 2:? at slot 3" in summary
    before, after, change, *points = with_control.figure().data
    np.testing.assert_allclose(np.asarray(change.z), np.asarray(after.z) - np.asarray(before.z))
    assert (before.coloraxis, after.coloraxis, change.coloraxis) == ("coloraxis", "coloraxis", "coloraxis2")
    layout = with_control.figure().layout
    assert (layout.coloraxis.cmin, layout.coloraxis.cmax) == (0, 1)
    assert (layout.coloraxis2.cmin, layout.coloraxis2.cmax) == (-1, 1)
    assert [trace.name for trace in points] == [BEFORE_TO_AFTER, OTHER_STORY, UNTRAINED]


def test_stories_whose_reads_are_not_finite_are_left_out_and_counted(question_trace):
    name = f"blocks.{MEMORY_BLOCK}.mem.hook_read_pattern"
    pattern = question_trace.arrays[name].copy()
    place = next(
        i for i, q in enumerate(question_trace.info["asked"]) if (q["story"], q["n_statements"]) == (2, 4)
    )
    pattern[place, 0, 0, 1, 3] = np.nan
    broken = replace(question_trace, arrays={**question_trace.arrays, name: pattern})
    result = compare_reads(broken, LOOK)
    assert result.reads.stories == (0, 1, 3, 4, 5)
    assert "excluded: 1 stories with a read that is not finite" in result.summary()


def test_what_was_not_asked_is_refused(question_trace):
    lm = handmade_lm()
    expected = read_stories(lm, stories(2))
    with pytest.raises(ValueError, match="holds no questions; record them with .*record_questions"):
        compare_reads(expected, LOOK)
    with pytest.raises(
        ValueError, match=r"after 2 sentences and after 3 .* 0 stories; .* asked after \[1, 2, 4\]"
    ):
        compare_reads(question_trace, ReadSpec(before=2, after=3, block=MEMORY_BLOCK))
    with pytest.raises(ValueError, match=r"no question 'where John\?' in the trace; it has: where Mary"):
        compare_reads(question_trace, replace(LOOK, text="where John?"))
    with pytest.raises(ValueError, match="before = 4 and after = 2 sentences; give 1 <= before < after"):
        ReadSpec(before=4, after=2, block=0)
    with pytest.raises(
        ValueError, match=r"after \[0, 5\] sentences; the shortest story has 4; choose 1 to 4"
    ):
        replace_questions(expected, AGAIN, [0, 2, 5])
    with pytest.raises(ValueError, match="the trace holds no stories to ask about"):
        replace_questions(replace(expected, info={}), AGAIN, [1])
