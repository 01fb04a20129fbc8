"""A slot became a fact's at the step from which on it holds it, and not at a step that did not last."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import emergence
from lm2viz.slots.held_out import swap_story_banks
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories

STEPS = [10, 20, 40, 80, 90]


@pytest.fixture(scope="module")
def trained():
    return bank_rows(read_stories(handmade_lm(), handmade_stories(60), names=["hook_bank"]))


@pytest.fixture(scope="module")
def blank(trained):
    """Before training: banks of noise."""
    banks = np.random.default_rng(0).normal(size=trained.banks.shape)
    return replace(trained, banks=banks.astype(np.float32))


def test_the_slot_became_marys_when_it_stayed_hers(trained, blank):
    result = emergence([blank, trained, blank, trained, trained], STEPS, "place of Mary")
    assert (result.slot, result.step) == (SLOT_OF["Mary"], 80)
    is_high = [score.value > 0.9 for score in result.scores]
    assert is_high == [False, True, False, True, True]
    assert all(abs(control.value) < 0.4 for control in result.shuffled)
    assert "slot 3 holds place of Mary from step 80 on" in result.summary()
    figure = result.figure()
    assert list(figure.data[0].x) == STEPS
    assert figure.layout.shapes[0].x0 == 80
    assert result.table()["step"].tolist() == STEPS


def test_a_slot_that_holds_it_from_the_start_is_dated_so(trained):
    assert emergence([trained] * 3, STEPS[:3], "place of John").step == 10


def test_a_slot_that_does_not_hold_it_at_the_end_never_became(trained):
    result = emergence([trained, swap_story_banks(trained, seed=3)], STEPS[:2], "place of Sandra")
    assert result.step is None
    assert "does not hold place of" in result.summary()
    assert not result.figure().layout.shapes


def test_a_bank_in_which_nothing_varies_has_no_score(trained):
    result = emergence(
        [replace(trained, banks=np.ones_like(trained.banks)), trained], STEPS[:2], "place of Mary"
    )
    assert (result.step, result.scores[0].n) == (20, 0)
    assert np.isnan(result.scores[0].value)


def test_wrong_steps_facts_and_stories_are_refused(trained):
    with pytest.raises(ValueError, match=r"2 checkpoints for steps \[20, 10\]; give one step per checkpoint"):
        emergence([trained, trained], [20, 10], "place of Mary")
    with pytest.raises(
        ValueError, match="unknown fact 'place of Bill'; these stories have: place of John, place of Mary"
    ):
        emergence([trained], [10], "place of Bill")
    with pytest.raises(ValueError, match="different stories"):
        emergence([trained.take(trained.story > 0), trained], [10, 20], "place of Mary")
    with pytest.raises(ValueError, match="no slot of the last checkpoint varies"):
        emergence([replace(trained, banks=np.ones_like(trained.banks))], [10], "place of Mary")
