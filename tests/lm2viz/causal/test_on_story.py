"""One story under interventions: whose slot is emptied loses its answer, other slots are the control."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.babi.story import Statement
from lm2core.reading.answers import bank_after, read_story
from lm2viz.causal import ClampGate, ResetBank, Zero, run
from lm2viz.causal.describe import in_words, reach
from lm2viz.causal.on_story import (
    asking,
    changed_slots,
    elsewhere,
    most_needed_slot,
    on_story,
)
from tests.handmade import N_SLOTS, SLOT_OF, handmade_reader, story_of

READER = handmade_reader()
STORY = story_of(
    [
        Statement("Mary", "move", "office"),
        Statement("John", "move", "garden"),
        Statement("John", "move", "office"),
    ],
    "Mary",
)


def test_emptying_the_slot_of_who_is_asked_about_lowers_the_answer_and_the_control_does_not():
    found = on_story(READER, STORY, [Zero(slots=(SLOT_OF["Mary"],))], reference=None)
    (told,) = found.answers
    assert (told.question, told.step, told.truth, told.before) == ("where Mary?", 3, "office", "office")
    assert told.p_after < 0.5 < told.p_before
    assert (told.control, told.p_control) == ("office", pytest.approx(told.p_before, abs=1e-3))


def test_the_change_of_slots_is_that_of_two_runs():
    edits = [Zero(slots=(SLOT_OF["Mary"],), step=2)]
    found = on_story(READER, STORY, edits, reference=None)
    difference = (run(READER, [STORY], edits).banks - run(READER, [STORY]).banks)[0].numpy()
    expected = np.minimum(np.sqrt((difference**2).mean(-1)), 1).T
    np.testing.assert_allclose(found.moved, expected, atol=1e-6)
    assert found.moved.shape == (N_SLOTS, len(STORY.sentences))
    assert not found.moved[:, 0].any()  # before the step
    assert changed_slots(found.moved) == [SLOT_OF["Mary"]]


def test_what_has_no_slots_has_no_control():
    (told,) = on_story(READER, STORY, [ResetBank(step=3)], reference=None).answers
    assert told.control == ""
    assert np.isnan(told.p_control)


def test_the_control_meets_no_slot_in_use_and_there_is_none_where_all_are_used():
    moved = elsewhere([Zero(slots=(0, 1)), ClampGate(gate="in", value=0.5, slots=(3,))], 7)
    used = [slot for edit in moved for slot in edit.slots]
    assert len(set(used)) == 3
    assert not {0, 1, 3} & set(used)
    assert (moved[0].kind, moved[1].value) == ("zero", 0.5)
    assert elsewhere([Zero(slots=(0, 1, 2))], 5) == []


@pytest.mark.parametrize("person", SLOT_OF)
def test_the_most_needed_slot_is_the_one_of_who_is_asked_about(person):
    said = [
        Statement(name, "move", place)
        for name, place in zip(SLOT_OF, ("garden", "office", "kitchen"), strict=True)
    ]
    story = story_of(said, person)
    bank = bank_after(read_story(READER, story.sentences), 3, READER.model)
    assert most_needed_slot(READER, f"where {person}?", bank) == SLOT_OF[person]


def test_a_visitors_question_is_asked_at_the_end_and_has_no_truth():
    story = asking(READER, STORY.sentences, "where John")
    (told,) = on_story(READER, story, [Zero(slots=(1,))], reference=None).answers
    assert (told.question, told.step, told.truth, told.before) == ("where John?", 3, "", "office")


def test_slots_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"zero: no slot 9; this model has 0..4"):
        on_story(READER, STORY, [Zero(slots=(9,))], reference=None)


def test_an_intervention_in_words_says_where_and_when():
    assert in_words(Zero(slots=(3, 1))) == "zero: slots 3 1, step every one"
    clamp = ClampGate(gate="in", value=0.5, block=2)
    assert in_words(clamp) == "clamp_gate: gate in, value 0.5, block 2, slots all, step every one"


def test_only_the_output_gate_does_not_propagate():
    out = ClampGate(gate="out", value=0)
    assert reach([out]).startswith("Does not propagate")
    assert reach([out, Zero(slots=(0,))]).startswith("Propagates")
    assert reach([replace(out, gate="in")]).startswith("Propagates")
