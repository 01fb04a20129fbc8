"""Alignment search finds the dimensions of a place that the construction wrote, and no others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2viz.causal import Subspace, search_subspace
from lm2viz.causal.interchanging import pair_scorer
from lm2viz.causal.subspace import random_subspace
from lm2viz.causal.subspace_edits import erasing, exchanging, steering
from lm2viz.causal.subspace_result import (
    ERASED,
    ERASED_RANDOM,
    FOUND,
    LEACE,
    RANDOM,
    SHUFFLED,
    STEERED,
    UNERASED,
    UNTRAINED,
    WHOLE,
)
from lm2viz.causal.subspace_training import train_subspace
from tests.handmade import AT, N_SLOTS, SAID, SLOT_OF, UNUSED, WIDTH, handmade_lm, handmade_stories
from tests.lm2viz.causal.test_interchange import question_of

LM, STORIES, MARY = handmade_lm(), handmade_stories(40), "place of Mary"


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Enough for the handmade model, and a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm2viz.causal.subspace_training.N_STEPS", 60)
        yield


def searched(slots=(SLOT_OF["Mary"],), n_dims=4, stories=STORIES, fact=MARY, seed=0):
    return search_subspace(LM, stories, fact, slots, n_dims=n_dims, seed=seed, question_of=question_of)


@pytest.fixture(scope="module")
def result():
    return searched()


@pytest.fixture(scope="module")
def scorer():
    return pair_scorer(LM, STORIES, MARY, n_donors=2, question_of=question_of)


def written(slots=(SLOT_OF["Mary"],), of=SLOT_OF["Mary"]):
    """The dimensions in which the construction writes the place of the person whose slot is ``of``."""
    basis = torch.zeros(len(slots) * WIDTH, SAID - AT)
    start = slots.index(of) * WIDTH + AT
    basis[start : start + SAID - AT] = torch.eye(SAID - AT)
    return Subspace(tuple(slots), basis)


def test_the_dimensions_of_a_place_carry_it_and_others_carry_nothing(scorer):
    own, other = scorer.score_edit(exchanging(written())), scorer.score_edit(exchanging(written((0, 3), 0)))
    assert (own.hit.mean(), np.nanmean(own.stay)) == (1, 1)
    assert other.hit.mean() == 0
    assert np.nanmean(other.stay) < 0.9


def test_search_finds_directions_that_do_as_much_as_the_slot(result):
    own, whole = result.effects[FOUND], result.effects[WHOLE]
    assert own.interchange.value == whole.interchange.value == 1
    assert own.isolation.value == 1
    assert result.is_carried
    assert result.verdict.startswith("4 dimensions of slot 3 carry the place of Mary: exchanged")


def test_the_controls_carry_nothing(result):
    for name in (RANDOM, UNTRAINED):
        assert result.effects[name].interchange.value < 0.4
    assert result.fit[FOUND] == 1
    assert result.fit[SHUFFLED] < 0.7


def test_in_the_whole_bank_it_lies_in_the_slot_that_holds_the_fact():
    found = searched(range(N_SLOTS))
    shares = found.subspace.share_by_slot
    assert max(shares, key=shares.get) == SLOT_OF["Mary"]
    assert sum(shares.values()) == pytest.approx(1)
    assert found.effects[FOUND].product.value > found.effects[WHOLE].product.value


def test_training_turns_away_from_what_other_answers_need(scorer):
    """It begins with the dimensions of two people, which carry both of their places."""
    slots = (SLOT_OF["John"], SLOT_OF["Mary"])
    both = Subspace(slots, torch.cat([written(slots, of=slot).basis for slot in slots], dim=1))
    before = scorer.score_edit(exchanging(both))
    after = scorer.score_edit(exchanging(train_subspace(scorer, both)))
    assert before.hit.mean() == after.hit.mean() == 1
    assert np.nanmean(before.stay) < 0.9
    assert np.nanmean(after.stay) > 0.98


def test_without_slots_it_is_searched_in_the_best_one():
    assert searched(None, n_dims=2).subspace.slots == (SLOT_OF["Mary"],)


def test_a_slot_of_somebody_else_has_no_such_directions():
    other = searched((SLOT_OF["John"],))
    assert other.effects[FOUND].interchange.value == 0
    assert other.verdict.startswith("Not shown that 4 dimensions of slot 0 carry the place of Mary")


def test_steering_says_the_value_without_a_donor(scorer, result):
    assert result.effects[STEERED].interchange.value == 1
    edit = steering(written(), scorer, scorer)
    bases, donors = (scorer.banks.contents(side) for side in (scorer.base, scorer.donor))
    moved = edit(bases, torch.full_like(donors, torch.nan), torch.arange(len(bases)))
    torch.testing.assert_close(moved[:, 3, AT:SAID], donors[:, 3, AT:SAID], atol=1e-3, rtol=0)


def test_erasing_the_place_leaves_nothing_to_answer_from(scorer, result):
    none, leace = result.erasures[UNERASED], result.erasures[LEACE]
    assert (none.changed.value, none.decoded.value) == (0, 1)
    for name in (ERASED, LEACE):
        assert result.erasures[name].changed.value > 0.5
        assert result.erasures[name].isolation.value == 1
    assert leace.decoded.value < 0.6
    assert result.erasures[ERASED_RANDOM].changed.value < 0.4
    eraser = written().eraser(np.zeros(WIDTH))
    banks = scorer.banks.contents(scorer.base[:3])
    erased = erasing(written(), eraser)(banks, banks, torch.arange(3))
    assert erased[:, 3, AT:SAID].abs().max() < 1e-6
    erased[:, 3, AT:SAID] = banks[:, 3, AT:SAID]
    torch.testing.assert_close(erased, banks)


def test_an_exchange_moves_nothing_outside_the_subspace():
    space = random_subspace((4, 1), 2 * WIDTH, 7, np.random.default_rng(3))
    base, donor = torch.randn(2, 3, N_SLOTS, WIDTH, generator=torch.Generator().manual_seed(1))
    changed = space.exchanged(base, donor)
    torch.testing.assert_close(space.coordinates(changed), space.coordinates(donor))
    outside = torch.eye(2 * WIDTH) - space.basis @ space.basis.T
    torch.testing.assert_close(space.values(changed) @ outside, space.values(base) @ outside)
    torch.testing.assert_close(changed[:, [0, 2, 3]], base[:, [0, 2, 3]])


def test_directions_stay_orthonormal_and_the_model_gets_no_gradient(result):
    basis = result.subspace.basis
    torch.testing.assert_close(basis.T @ basis, torch.eye(4), atol=1e-5, rtol=0)
    assert all(p.grad is None for p in LM.model.parameters())


def test_the_same_seed_gives_the_same_subspace(result):
    again = searched()
    assert torch.equal(again.subspace.basis, result.subspace.basis)
    assert again.table().equals(result.table())


def test_table_and_figure_have_every_condition(result):
    table = result.table()
    edits = table["edit"].tolist()
    assert edits[:6] == [FOUND, WHOLE, RANDOM, SHUFFLED, UNTRAINED, STEERED]
    assert edits[6:] == [UNERASED, ERASED, LEACE, ERASED_RANDOM]
    assert table["n_dims"].tolist()[6:] == [0, 4, 3, 4]
    assert list(result.figure().data[0].y) == edits[:6]


def test_a_subspace_below_its_controls_is_not_carried(result):
    low = replace(result.effects[FOUND].interchange, low=0.0)
    effects = {**result.effects, FOUND: replace(result.effects[FOUND], interchange=low)}
    assert not replace(result, effects=effects).is_carried


def test_bad_input_is_told_in_one_line():
    with pytest.raises(
        ValueError, match=f"a subspace of 19 dimensions in 1 slot of width {WIDTH}; give 1 to 18"
    ):
        searched(n_dims=WIDTH + 1)
    with pytest.raises(ValueError, match="a subspace of 33 dimensions in 5 slots of width 18; give 1 to 32"):
        searched(range(N_SLOTS), n_dims=33)
    with pytest.raises(ValueError, match="a subspace of 0 dimensions"):
        searched(n_dims=0)
    with pytest.raises(ValueError, match=r"no slot 5; this model has 0\.\.4"):
        searched((3, 5))
    with pytest.raises(ValueError, match="slots 1, 1 name a slot twice"):
        searched((UNUSED[0], UNUSED[0]))
    with pytest.raises(ValueError, match="an interval needs 10 stories with a pair whose answers differ"):
        searched(stories=STORIES[:12])
