"""A sentence read with moved gates: the slot follows them, all else stays, and the story goes on."""

import numpy as np
import pytest

from lm2core.reading.answers import bank_after, read_story
from lm2viz.causal.gate_edit import GateEdit, read_with_gate_edit
from lm2viz.story.gated_update import slot_update
from tests.handmade import MEMORY_BLOCK, SLOT_OF, handmade_lm, handmade_stories

LM = handmade_lm()
STORY = handmade_stories(1)[0].sentences
STEP = 4
SLOT = SLOT_OF[STORY[STEP - 1].split()[0]]


@pytest.fixture(scope="module")
def trace():
    return read_story(LM, STORY)


def edited(trace, until=STEP, **move):
    bank = bank_after(trace, STEP - 1, LM.model)
    return read_with_gate_edit(LM, STORY[STEP - 1 : until], bank, GateEdit(step=STEP, slot=SLOT, **move))


def test_without_a_move_the_story_is_read_as_it_was(trace):
    for until in (STEP, len(STORY)):
        bank = edited(trace, until).bank[0]
        np.testing.assert_allclose(
            bank, trace.select("hook_bank", story=0, segment=until - 1), rtol=0, atol=1e-6
        )


def test_a_shut_input_gate_writes_nothing_and_the_equation_still_holds(trace):
    update = slot_update(edited(trace, gate_in=0.0).trace, 0, MEMORY_BLOCK, SLOT)
    assert not update.write.any()
    assert update.error() < 1e-6
    assert slot_update(trace, STEP - 1, MEMORY_BLOCK, SLOT).write.any()


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_the_keep_gate_stands_where_it_was_put(trace, keep):
    unedited = slot_update(trace, STEP - 1, MEMORY_BLOCK, SLOT)
    update = slot_update(edited(trace, keep=keep).trace, 0, MEMORY_BLOCK, SLOT)
    np.testing.assert_allclose(update.after, keep * unedited.before + unedited.write, atol=1e-6)


def test_other_slots_and_later_sentences_are_not_moved(trace):
    unedited, bank = bank_after(trace, STEP, LM.model)[0], edited(trace, gate_in=0.0, keep=1.0).bank[0]
    others = [n for n in range(len(unedited)) if n != SLOT]
    np.testing.assert_array_equal(bank[others], unedited[others])
    assert not np.allclose(bank[SLOT], unedited[SLOT])
    again = [i for i, sentence in enumerate(STORY) if sentence.split()[0] == STORY[STEP - 1].split()[0]]
    if again[-1] >= STEP:  # written over by a later sentence, whose gates are the model's own
        end = edited(trace, len(STORY), gate_in=0.0, keep=1.0).bank[0]
        np.testing.assert_allclose(end, trace.select("hook_bank", story=0, segment=len(STORY) - 1), atol=1e-4)


def test_a_move_in_another_block_than_the_memorys_is_another_move(trace):
    assert GateEdit(step=1, slot=2).edits() == []
    (edit,) = GateEdit(step=3, slot=2, block=MEMORY_BLOCK, keep=0.5).in_slot(4).edits()
    assert (edit.gate, edit.value, edit.slots, edit.block, edit.step) == (
        "forget",
        0.5,
        (4,),
        MEMORY_BLOCK,
        1,
    )


def test_no_sentence_is_refused(trace):
    with pytest.raises(ValueError, match="no sentence to read"):
        read_with_gate_edit(LM, (), bank_after(trace, 0, LM.model), GateEdit(step=1, slot=0))
