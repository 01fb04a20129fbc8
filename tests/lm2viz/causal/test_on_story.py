"""One story under interventions: whose slot is emptied loses its answer, other slots are the control."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.babi.story import Statement
from lm2core.reading.answers import bank_after, read_story
from lm2viz.causal import ClampGate, ResetBank, Zero, run
from lm2viz.causal.describe import describe_intervention, reach
from lm2viz.causal.on_story import (
    changed_slots,
    most_important_slot,
    on_control_slots,
    story_effect,
    story_with_question,
)
from tests.handmade import N_SLOTS, SLOT_OF, handmade_lm, story_of

LM = handmade_lm()
STORY = story_of(
    [
        Statement("Mary", "move", "office"),
        Statement("John", "move", "garden"),
        Statement("John", "move", "office"),
    ],
    "Mary",
)


def test_emptying_the_slot_of_who_is_asked_about_lowers_the_answer_and_the_control_does_not():
    result = story_effect(LM, STORY, [Zero(slots=(SLOT_OF["Mary"],))], reference=None)
    (message,) = result.answers
    assert (message.question, message.step, message.truth, message.before) == (
        "where Mary?",
        3,
        "office",
        "office",
    )
    assert message.p_after < 0.5 < message.p_before
    assert (message.control, message.p_control) == ("office", pytest.approx(message.p_before, abs=1e-3))


def test_the_change_of_slots_is_that_of_two_runs():
    edits = [Zero(slots=(SLOT_OF["Mary"],), step=2)]
    result = story_effect(LM, STORY, edits, reference=None)
    difference = (run(LM, [STORY], edits).banks - run(LM, [STORY]).banks)[0].numpy()
    expected = np.minimum(np.sqrt((difference**2).mean(-1)), 1).T
    np.testing.assert_allclose(result.slot_changes, expected, atol=1e-6)
    assert result.slot_changes.shape == (N_SLOTS, len(STORY.sentences))
    assert not result.slot_changes[:, 0].any()  # before the step
    assert changed_slots(result.slot_changes) == [SLOT_OF["Mary"]]


def test_what_has_no_slots_has_no_control():
    (message,) = story_effect(LM, STORY, [ResetBank(step=3)], reference=None).answers
    assert message.control == ""
    assert np.isnan(message.p_control)


def test_the_control_meets_no_slot_in_use_and_there_is_none_where_all_are_used():
    slot_changes = on_control_slots([Zero(slots=(0, 1)), ClampGate(gate="in", value=0.5, slots=(3,))], 7)
    used = [slot for edit in slot_changes for slot in edit.slots]
    assert len(set(used)) == 3
    assert not {0, 1, 3} & set(used)
    assert (slot_changes[0].kind, slot_changes[1].value) == ("zero", 0.5)
    assert on_control_slots([Zero(slots=(0, 1, 2))], 5) == []


@pytest.mark.parametrize("person", SLOT_OF)
def test_the_most_needed_slot_is_the_one_of_who_is_asked_about(person):
    statement = [
        Statement(name, "move", place)
        for name, place in zip(SLOT_OF, ("garden", "office", "kitchen"), strict=True)
    ]
    story = story_of(statement, person)
    bank = bank_after(read_story(LM, story.sentences), 3, LM.model)
    assert most_important_slot(LM, f"where {person}?", bank) == SLOT_OF[person]


def test_a_visitors_question_is_asked_at_the_end_and_has_no_truth():
    story = story_with_question(LM, STORY.sentences, "where John")
    (message,) = story_effect(LM, story, [Zero(slots=(1,))], reference=None).answers
    assert (message.question, message.step, message.truth, message.before) == ("where John?", 3, "", "office")


def test_slots_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"zero: no slot 9; this model has 0..4"):
        story_effect(LM, STORY, [Zero(slots=(9,))], reference=None)


def test_an_intervention_in_words_says_where_and_when():
    assert describe_intervention(Zero(slots=(3, 1))) == "zero: slots 3 1, step every one"
    clamp = ClampGate(gate="in", value=0.5, block=2)
    assert (
        describe_intervention(clamp) == "clamp_gate: gate in, value 0.5, block 2, slots all, step every one"
    )


def test_only_the_output_gate_does_not_propagate():
    out = ClampGate(gate="out", value=0)
    assert reach([out]).startswith("Does not propagate")
    assert reach([out, Zero(slots=(0,))]).startswith("Propagates")
    assert reach([replace(out, gate="in")]).startswith("Propagates")
