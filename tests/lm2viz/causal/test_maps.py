"""Causal maps light where a change is kept, from when it is told, and nowhere for placebos."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2core.babi.counterfactual import draw_counterfactuals
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal import Swap, run
from lm2viz.causal.maps import align, causal_map
from lm2viz.causal.pairs import average, read_sides
from lm2viz.causal.patching import ALL, BANK, Patches, patched_logits, record
from lm2viz.estimates import mean
from tests.handmade import N_SLOTS, SLOT_OF, handmade_lm
from tests.lm2viz.causal.made_pairs import N_SENTENCES, place_pairs, placebos

LM = handmade_lm()
PLACEBOS = placebos(14)


@pytest.fixture(scope="module")
def trained() -> LoadedModel:
    return load("babi-qa1-3")


def test_the_map_lights_exactly_the_slot_of_the_changed_person_from_the_changed_sentence_on():
    result = causal_map(LM, place_pairs(13, about="Mary"), PLACEBOS)
    expected = np.zeros_like(result.pairs.mean)
    expected[:, result.steps >= 0, SLOT_OF["Mary"]] = 1
    expected[result.pairs.n == 0] = np.nan
    np.testing.assert_allclose(result.pairs.mean, expected, atol=1e-4)
    assert result.pairs.n[0, result.steps == 0].min() == 13
    for it in result.by_direction:
        assert (it.strongest.value, it.localised.value) == (pytest.approx(1, abs=1e-4), 1)
        assert it.localised.low > it.chance


def test_placebos_light_nothing():
    result = causal_map(LM, place_pairs(13), PLACEBOS)
    np.testing.assert_allclose(np.nan_to_num(result.placebos.mean), 0, atol=1e-4)
    assert all(abs(it.placebo.value) < 1e-4 for it in result.by_direction)


def test_pairs_about_several_people_share_the_map_between_their_slots():
    pairs = place_pairs(17)
    result = causal_map(LM, pairs, PLACEBOS)
    for person, slot in SLOT_OF.items():
        questions = np.mean([person in pair.question for pair in pairs])
        assert result.pairs.mean[0, result.steps == 0, slot] == pytest.approx(questions, abs=1e-4)


def test_one_patch_is_the_swap_of_one_slot_after_one_sentence(trained):
    pairs = draw_counterfactuals("qa1", "place", 3, 0, n_sentences=6)
    told, edited = zip(*(pair.stories for pair in pairs), strict=True)
    into, source = record(trained, told, [BANK]), record(trained, edited, [BANK])
    patches = Patches.grid(torch.tensor([[1, 4]] * 3), 1, [9, 20])
    logits = patched_logits(trained, into, source, BANK, patches)
    reference = run(trained, edited).banks
    for row in range(len(logits)):
        p, step, slot = (int(x[row]) for x in (patches.pair, patches.step, patches.slot))
        swap = Swap(slots=(slot,), step=step + 1, other=0)
        slow = run(trained, [told[p]], [swap], reference=reference[p : p + 1]).logits[0]
        torch.testing.assert_close(logits[row], slow, atol=1e-4, rtol=0)


def test_the_whole_bank_carries_the_whole_edit(trained):
    sides = read_sides(
        trained, draw_counterfactuals("qa1", "place", 4, 1, n_sentences=6), [BANK], is_placebo=False
    )
    last = torch.full((4, 1), 5)
    patches = Patches.grid(last, 1, [ALL])
    logits = patched_logits(trained, sides.original, sides.edited, BANK, patches)
    torch.testing.assert_close(logits, sides.edited.logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        patched_logits(trained, sides.edited, sides.original, BANK, patches),
        sides.original.logits,
        atol=1e-4,
        rtol=0,
    )


def test_a_patch_before_the_change_runs_nothing(monkeypatch):
    sides = read_sides(LM, place_pairs(7), [BANK], is_placebo=False)
    before = torch.as_tensor(sides.changed)[:, None] - 1
    rows = Patches.grid(before.clamp_min(0), 1, range(N_SLOTS))
    rows = rows.take((before[rows.pair, 0] >= 0).nonzero()[:, 0])
    monkeypatch.setattr("lm2viz.causal.patching._run_patched", None)
    logits = patched_logits(LM, sides.original, sides.edited, BANK, rows)
    assert torch.equal(logits, sides.original.logits[rows.pair])


def test_effects_are_aligned_to_the_changed_sentence():
    values = np.arange(2 * 2 * 3, dtype=float).reshape(2, 2, 3)
    change = align(values, np.array([0, 2]), 3)
    np.testing.assert_array_equal(change[0, 0], [np.nan, np.nan, 0, 1, 2])
    np.testing.assert_array_equal(change[1, 1], [9, 10, 11, np.nan, np.nan])


def test_averages_are_means_with_the_same_intervals_and_leave_missing_pairs_out():
    values = np.random.default_rng(0).normal(size=(9, 2, 3))
    it, one = average(values, seed=4), mean(values[:, 1, 2], seed=4)
    assert it.at(1, 2).value == pytest.approx(one.value)
    assert (it.at(1, 2).low, it.at(1, 2).high) == pytest.approx((one.low, one.high))
    values[:8, 0, 0], values[:, 0, 1] = np.nan, np.nan
    it = average(values, seed=4)
    assert it.at(0, 0).value == pytest.approx(values[8, 0, 0])
    assert np.isnan(it.at(0, 1).value)
    assert (it.at(0, 0).n, it.at(0, 1).n, it.at(0, 2).n) == (1, 0, 9)


def test_one_pair_and_pairs_that_are_all_alike_have_no_interval():
    """A bootstrap of them has no width, which would say that nothing is uncertain."""
    values = np.random.default_rng(0).normal(size=(7, 2, 3))
    values[:, 1, 1] = 0.25
    values[1:, 0, 2] = np.nan
    it = average(values, seed=4)
    assert "0.25 (no interval, n = 7)" in str(it.at(1, 1))
    assert str(it.at(0, 2)).endswith("(no interval, n = 1)")
    assert it.at(1, 2).low < it.at(1, 2).high
    assert np.isnan(average(values[:1], seed=4).low).all()


def test_localisation_is_not_measured_where_only_the_last_sentence_changes():
    pairs = [pair for pair in place_pairs(40) if pair.changed == (N_SENTENCES - 1,)]
    result = causal_map(LM, pairs, PLACEBOS)
    assert all(it.localised.n == 0 and np.isnan(it.chance) for it in result.by_direction)
    assert result.summary().count("not measured, since every pair changes its last sentence") == 2


def test_summary_table_and_figure_hold_finding_and_placebos():
    result = causal_map(LM, place_pairs(13), PLACEBOS)
    table, figure = result.table(), result.figure()
    assert list(table["set"].unique()) == ["pairs", "placebos"]
    assert len(table) == 2 * 2 * len(result.steps) * N_SLOTS
    row = table.query("set == 'placebos' and direction == 'denoising' and step == 1 and slot == 2")
    assert row["n"].item() == result.placebos.n[1, list(result.steps).index(1), 2]
    assert "13 pairs (handmade 'place') of 5 sentences, 14 placebos" in result.summary()
    assert len(figure.data) == 4
    np.testing.assert_array_equal(figure.data[1].z, result.placebos.mean[0])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-1, 1)
    assert figure.layout.shapes[0].y0 == list(result.steps).index(0) - 0.5
    assert causal_map(LM, place_pairs(13), PLACEBOS).table().equals(table)


def test_pairs_that_do_not_fit_are_refused():
    pairs = place_pairs(5)
    short = replace(pairs[0], sentences=pairs[0].sentences[:2], edited=pairs[0].edited[:2])
    with pytest.raises(ValueError, match=r"stories of 2 to 5 sentences; use stories of equal length"):
        causal_map(LM, [*pairs[1:], short], PLACEBOS)
    with pytest.raises(ValueError, match="answers of pairs must be different, any other kind; got where"):
        causal_map(LM, PLACEBOS, PLACEBOS)
    with pytest.raises(ValueError, match="answers of placebos must be equal, kind 'placebo'"):
        causal_map(LM, pairs, pairs)
    with pytest.raises(ValueError, match="no pairs; draw some"):
        causal_map(LM, [], PLACEBOS)


def test_a_model_that_does_not_follow_the_edit_is_refused():
    torch.manual_seed(0)
    untrained = LoadedModel("untrained", LM2ForCausalLM(LM.model.config).eval(), LM.tokenizer)
    with pytest.raises(ValueError, match="answers do not follow the edit .* use a trained model"):
        causal_map(untrained, place_pairs(9), PLACEBOS)
