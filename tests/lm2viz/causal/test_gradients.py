"""What gradients give slots is complete, agrees with ablation, and vanishes for shuffled banks and slots."""

from random import Random

import numpy as np
import pytest
import torch

from lm2core.babi.tasks import make_story
from lm2core.reading.checkpoints import load
from lm2viz.causal.gradients import INTEGRATED, TIMES_CHANGE, correlation, path_points, slot_gradients
from lm2viz.causal.questions import LogitDifferences, compared_words
from lm2viz.causal.running import question_texts, run
from tests.handmade import N_SLOTS, SLOT_OF, handmade_lm, handmade_stories

LM = handmade_lm()


@pytest.fixture(scope="module")
def trained():
    rng, lm = Random(0), load("babi-qa1-3")
    stories = [make_story("qa1", rng) for _ in range(3)]
    it = run(lm, stories)
    return it, LogitDifferences(lm, question_texts(stories), compared_words(it)), lm


def test_integrated_gradients_give_everything_to_the_slot_of_the_person():
    stories = [story for story in handmade_stories(60) if "Mary" in story.questions[0].text]
    it = slot_gradients(LM, stories).by_method[0]
    values = np.array([estimate.value for estimate in it.slots])
    assert values[SLOT_OF["Mary"]] > 5
    np.testing.assert_allclose(np.delete(values, SLOT_OF["Mary"]), 0, atol=1e-5)
    assert it.ablated.value == pytest.approx(values[SLOT_OF["Mary"]])
    assert it.error < 1e-4
    assert it.agreement["zero"].value == pytest.approx(1, abs=1e-3)


def test_shuffled_slots_random_slots_and_shuffled_banks_give_what_chance_gives():
    it = slot_gradients(LM, handmade_stories(150), seed=2, n_points=8).by_method[0]
    assert it.random.value == pytest.approx(0, abs=1e-5)
    for shuffled in it.shuffled.values():
        assert shuffled.low < 0 < shuffled.high
    untold = (2 / 3) ** 7  # one place of four is the answer, the others speak against it
    assert it.other_story.low < it.ablated.value * (1 - untold) * (1 / 4 - 3 / 4) < it.other_story.high


def test_integrated_gradients_are_complete_and_the_gradient_alone_is_not(trained):
    it, question_list, lm = trained
    fresh = lm.model.new_memory(len(it.story)).detach()
    gain = question_list.difference(it.question_banks) - question_list.difference(fresh)
    overall = question_list.attributed(it.question_banks, fresh, path_points(INTEGRATED, 32)).sum(axis=1)
    np.testing.assert_allclose(overall, gain, atol=1e-3)
    once = question_list.attributed(it.question_banks, fresh, path_points(TIMES_CHANGE, 32)).sum(axis=1)
    assert np.abs(once - gain).mean() > 0.5 * np.abs(gain).mean()


def test_an_answer_does_not_depend_on_a_slot_s_length_so_gradient_times_slot_is_zero(trained):
    it, question_list, _ = trained
    bank = it.question_banks
    np.testing.assert_allclose(question_list.difference(2 * bank), question_list.difference(bank), atol=1e-2)
    times_slot = question_list.attributed(bank, torch.zeros_like(bank), path_points(TIMES_CHANGE, 1))
    fresh = question_list.attributed(bank, torch.zeros_like(bank), path_points(INTEGRATED, 32))
    assert np.abs(times_slot).max() < 0.01 < 0.1 * np.abs(fresh).max()


def test_gradients_are_finite_differences(trained):
    it, question_list, _ = trained
    bank, q, slot, step = it.question_banks, 2, 9, 1e-2
    direction = torch.randn(1, bank.shape[2], generator=torch.Generator().manual_seed(0))[0]
    start = bank.clone()
    start[q, slot] -= 1e-3 * direction
    given = question_list.attributed(bank, start, path_points(TIMES_CHANGE, 1))[q] / 1e-3
    ahead, behind = bank.clone(), bank.clone()
    ahead[q, slot] += step * direction
    behind[q, slot] -= step * direction
    slow = (question_list.difference(ahead) - question_list.difference(behind))[q] / (2 * step)
    assert given[slot] == pytest.approx(slow, rel=0.05, abs=1e-2)
    assert np.delete(given, slot) == pytest.approx(0)


def test_the_integral_s_points_and_weights_are_exact_for_cubic_paths():
    at, weight = path_points(INTEGRATED, 2)
    assert weight.sum() == pytest.approx(1)
    assert (weight * at**3).sum() == pytest.approx(1 / 4)


def test_correlation_is_pearson_s_over_all_cells_and_draws_whole_groups():
    rng, groups = np.random.default_rng(0), np.repeat([0, 1, 2, 3], 5)
    x = rng.normal(size=(20, 3))
    y = x + rng.normal(size=x.shape)
    it = correlation(x, y, groups=groups)
    assert it.value == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1])
    assert it.low < it.value < it.high
    same = np.tile(x[:5], (4, 1)), np.tile(y[:5], (4, 1))
    overall = correlation(*same, groups=groups)
    assert overall.low == pytest.approx(overall.high)
    assert np.isnan(correlation(x, np.ones_like(x), groups=groups).value)


def test_summary_table_and_figure_hold_finding_and_controls():
    result = slot_gradients(LM, handmade_stories(12), n_points=4)
    table, figure = result.table(), result.figure()
    assert len(table) == 2 * (2 * N_SLOTS + 3 + 4)
    row = table.query(f'method == "{INTEGRATED}" and figure == "story\'s bank" and slot == 3')
    assert (row["value"].item(), row["n"].item()) == (result.by_method[0].slots[3].value, 12)
    assert "handmade: 12 stories" in result.summary()
    assert len(figure.data) == 4
    assert list(figure.data[1].y) == [estimate.value for estimate in result.by_method[0].other]
    assert figure.layout.yaxis.range == figure.layout.yaxis2.range
    assert slot_gradients(LM, handmade_stories(12), n_points=4).table().equals(table)


def test_no_points_and_a_single_story_are_refused():
    with pytest.raises(ValueError, match="n_points = 0; give at least 1"):
        slot_gradients(LM, handmade_stories(3), n_points=0)
    with pytest.raises(ValueError, match="got one story and no other"):
        slot_gradients(LM, handmade_stories(1))
