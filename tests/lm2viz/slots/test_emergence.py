"""A slot became a fact's at the step from which on it holds it, and not at a step that did not last."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import became
from lm2viz.slots.held_out import exchanged
from tests.handmade import SLOT_OF, handmade_reader, handmade_stories

STEPS = [10, 20, 40, 80, 90]


@pytest.fixture(scope="module")
def trained():
    return bank_rows(read_stories(handmade_reader(), handmade_stories(60), names=["hook_bank"]))


@pytest.fixture(scope="module")
def blank(trained):
    """Before training: banks of noise."""
    banks = np.random.default_rng(0).normal(size=trained.banks.shape)
    return replace(trained, banks=banks.astype(np.float32))


def test_the_slot_became_marys_when_it_stayed_hers(trained, blank):
    found = became([blank, trained, blank, trained, trained], STEPS, "place of Mary")
    assert (found.slot, found.step) == (SLOT_OF["Mary"], 80)
    is_high = [score.value > 0.9 for score in found.scores]
    assert is_high == [False, True, False, True, True]
    assert all(abs(control.value) < 0.4 for control in found.shuffled)
    assert "slot 3 holds place of Mary from step 80 on" in found.summary()
    figure = found.figure()
    assert list(figure.data[0].x) == STEPS
    assert figure.layout.shapes[0].x0 == 80
    assert found.table()["step"].tolist() == STEPS


def test_a_slot_that_holds_it_from_the_start_is_dated_so(trained):
    assert became([trained] * 3, STEPS[:3], "place of John").step == 10


def test_a_slot_that_does_not_hold_it_at_the_end_never_became(trained):
    found = became([trained, exchanged(trained, seed=3)], STEPS[:2], "place of Sandra")
    assert found.step is None
    assert "at no checkpoint for good" in found.summary()
    assert not found.figure().layout.shapes


def test_a_bank_in_which_nothing_varies_has_no_score(trained):
    found = became([replace(trained, banks=np.ones_like(trained.banks)), trained], STEPS[:2], "place of Mary")
    assert (found.step, found.scores[0].n) == (20, 0)
    assert np.isnan(found.scores[0].value)


def test_wrong_steps_facts_and_stories_are_refused(trained):
    with pytest.raises(ValueError, match=r"2 checkpoints for steps \[20, 10\]; give one ascending step each"):
        became([trained, trained], [20, 10], "place of Mary")
    with pytest.raises(ValueError, match="no fact 'place of Bill' .*known: place of John, place of Mary"):
        became([trained], [10], "place of Bill")
    with pytest.raises(ValueError, match="different stories"):
        became([trained.take(trained.story > 0), trained], [10, 20], "place of Mary")
    with pytest.raises(ValueError, match="no slot of the last checkpoint varies"):
        became([replace(trained, banks=np.ones_like(trained.banks))], [10], "place of Mary")
