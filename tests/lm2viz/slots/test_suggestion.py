"""The slot to look at first is one that a person was given, with that person's place."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import explain_slots
from lm2viz.slots.suggestion import best_explained_slot
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), handmade_stories(24), names=["hook_bank"]))


def test_it_is_a_persons_slot_and_that_persons_place(rows):
    slot, fact = best_explained_slot(rows)
    assert fact in {f"place of {person}" for person, unedited in SLOT_OF.items() if unedited == slot}
    assert explain_slots(rows).of(slot).name == fact


def test_where_only_one_slot_still_holds_something_it_is_that_one(rows):
    noise = np.random.default_rng(0).normal(size=rows.banks.shape).astype(np.float32)
    noise[:, SLOT_OF["John"]] = rows.banks[:, SLOT_OF["John"]]
    assert best_explained_slot(replace(rows, banks=noise)) == (SLOT_OF["John"], "place of John")


def test_a_bank_that_never_changes_is_refused(rows):
    with pytest.raises(ValueError, match="no slot varies"):
        best_explained_slot(replace(rows, banks=np.ones_like(rows.banks)))


def test_stories_without_facts_are_refused(rows):
    with pytest.raises(ValueError, match="no fact is known"):
        best_explained_slot(replace(rows, facts=rows.facts.iloc[:, :0]))
