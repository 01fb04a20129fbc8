"""Decay, code length and learning curve find what the handmade model holds, and chance elsewhere."""

from math import log2

import numpy as np
import pytest

from lm2viz.probes import codelength, decay, learning_curve
from lm2viz.probes.codelength import _never_zero
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED, UNTRAINED
from tests.handmade import PLACES, SLOT_OF, UNUSED
from tests.lm2viz.probes.banks import handmade_rows, random_banks, table_rows, with_banks

ROWS = handmade_rows()
CHANCE = 1 / len(PLACES)
FACT = "place of Mary"
MIRRORED = with_banks(ROWS, ROWS.banks[:, ::-1])  # the same facts, each in another slot
ALL_THREE = pytest.mark.parametrize(
    "ask",
    [
        lambda **options: decay(ROWS, facts=[FACT], n_folds=3, **options),
        lambda **options: codelength(ROWS, FACT, **options),
        lambda **options: learning_curve(ROWS, FACT, sizes=(9, 20), n_folds=3, **options),
    ],
    ids=["decay", "codelength", "learning_curve"],
)


def figures_of(result, name):
    """Every estimate of this name: of each age or size, or the bits."""
    if hasattr(result, "bins"):
        return [part.accuracy[name] for part in result.bins]
    return [result.bits[name]] if hasattr(result, "bits") else list(result.accuracy[name])


def test_a_memory_that_forgets_nothing_does_not_decay():
    result = decay(ROWS, edges=(0, 1, 3))
    assert [(part.first, part.last) for part in result.bins] == [(0, 0), (1, 2), (3, 6)]
    for part in result.bins:
        assert part.accuracy[PROBE].value == 1
        assert part.accuracy[SHUFFLED].value < CHANCE + 0.2
    table = result.table()
    assert (
        (table["shuffled_labels_low"] < CHANCE + 0.1) & (table["shuffled_labels_high"] > CHANCE - 0.1)
    ).all()
    n_known = int(ROWS.facts.notna().sum().sum())
    assert result.table()["n_rows"].sum() == n_known


def test_what_is_overwritten_after_two_sentences_decays_there():
    known = ROWS.facts[FACT].notna().to_numpy()
    age = np.zeros(len(known))
    age[known] = ROWS.segment[known] - ROWS.since[FACT][known].to_numpy(dtype=int)
    forgotten = with_banks(ROWS, np.where((age < 2)[:, None, None], ROWS.banks, 0))
    options = {"facts": [FACT], "slot": SLOT_OF["Mary"], "edges": (0, 1, 2)}
    of_control = decay(ROWS, untrained=forgotten, **options)
    for result, name in ((decay(forgotten, **options), PROBE), (of_control, UNTRAINED)):
        accuracy = [estimate.value for estimate in figures_of(result, name)]
        assert accuracy[:2] == [1, 1]
        assert accuracy[2] < 0.6
    assert [estimate.value for estimate in figures_of(of_control, PROBE)] == [1, 1, 1]


def test_edges_must_ascend_from_zero():
    with pytest.raises(ValueError, match=r"edges must ascend from 0, got \[1, 3\]"):
        decay(ROWS, edges=(1, 3))


def test_a_fact_in_the_slot_is_cheap_and_shuffled_labels_are_not():
    result = codelength(ROWS, FACT)
    assert result.uniform == log2(len(PLACES))
    assert result.compression().low > 2
    assert result.compression(SHUFFLED).value < 1.1
    assert result.total_bits() == pytest.approx(result.bits[PROBE].value * result.bits[PROBE].n)


def test_an_unused_slot_costs_about_the_uniform_code():
    result = codelength(ROWS, FACT, slot=UNUSED[0])
    assert result.bits[PROBE].value == pytest.approx(result.uniform, rel=0.12)


def test_every_story_but_those_of_the_first_portion_is_coded_by_what_came_before():
    """Features that are noise: a code that trained on what it sends would be short."""
    rows = table_rows(["calm", "wild"] * 20, n_dims=30)
    result = codelength(rows, "mood", slot="bank")
    assert result.bits[PROBE].value > 1


def test_the_code_s_probabilities_sum_to_one_and_none_is_zero():
    mixed = _never_zero(np.array([0.0, 0.25, 0.75]), 9, 3)
    assert mixed.sum() == pytest.approx(1)
    assert mixed[0] == pytest.approx(1 / 30)


def test_a_planted_fact_is_learnt_from_few_stories_and_shuffled_labels_never():
    result = learning_curve(ROWS, FACT, sizes=(6, 12, 24))
    assert result.sizes == (6, 12, 24)
    probe = [estimate.value for estimate in result.accuracy[PROBE]]
    assert probe == sorted(probe)
    assert probe[-1] == 1
    for name in (MAJORITY, SHUFFLED):
        assert max(e.value for e in result.accuracy[name]) < CHANCE + 0.2
    control = [estimate.value for estimate in result.accuracy[CONTROL_TASK]]
    assert control[0] < control[-1] < 1  # 12 types: more stories, more of them met


def test_sizes_that_the_stories_do_not_allow_are_refused():
    with pytest.raises(ValueError, match=r"sizes must be 4 to \d+ .*got \[3, 99\]"):
        learning_curve(ROWS, FACT, sizes=(3, 99))


@pytest.mark.parametrize("ask", [codelength, learning_curve])
def test_a_fact_that_does_not_occur_is_refused(ask):
    with pytest.raises(ValueError, match="unknown fact hunger; known: place of John"):
        ask(ROWS, "hunger")


@ALL_THREE
def test_results_say_their_controls_in_words_rows_and_pictures(ask):
    result = ask(slot=3)
    assert SHUFFLED in result.summary()
    table = result.table()
    assert {"low", "high", "n_rows", "n_stories"} <= set(table)
    assert SHUFFLED in drawn_names(result)
    assert ask(slot=3).table().equals(table)


def drawn_names(result):
    """Lines, or bars of the one trace there is."""
    data = result.figure().data
    return [trace.name for trace in data] if len(data) > 1 else list(data[0].y)


@ALL_THREE
def test_the_best_slot_of_an_untrained_model_is_chosen_in_its_own_banks(ask):
    best = ask(untrained=MIRRORED)
    assert figures_of(best, UNTRAINED) == figures_of(best, PROBE)  # as good, though in another slot
    same_slot = ask(untrained=MIRRORED, slot=SLOT_OF["Mary"])
    assert figures_of(same_slot, PROBE) == figures_of(best, PROBE)
    assert figures_of(same_slot, UNTRAINED) != figures_of(best, UNTRAINED)


def test_the_luck_of_the_best_of_many_random_slots_does_not_count():
    many = with_banks(ROWS, np.random.default_rng(5).normal(size=(len(ROWS.banks), 200, 3)))
    options = {"untrained": many, "n_folds": 3}
    for result in (
        decay(ROWS, facts=[FACT], edges=[0], **options),
        learning_curve(ROWS, FACT, sizes=[26], **options),
    ):
        (estimate,) = figures_of(result, UNTRAINED)
        assert estimate.low < CHANCE < estimate.high
    assert codelength(ROWS, FACT, untrained=many).bits[UNTRAINED].value > log2(len(PLACES))


@ALL_THREE
def test_an_untrained_model_changes_no_figure_but_adds_its_own(ask):
    without, result = ask(), ask(untrained=random_banks(ROWS))
    for name in (PROBE, SHUFFLED):
        assert figures_of(result, name) == figures_of(without, name)
    assert UNTRAINED not in without.summary()
    assert UNTRAINED not in drawn_names(without)
    assert drawn_names(result) == [*drawn_names(without), UNTRAINED]
    unedited = figures_of(result, UNTRAINED)
    assert (str(unedited[0]) in result.summary()) or (
        f"{UNTRAINED} {unedited[0].as_share()}" in result.summary()
    )
    rest = result.table()
    if "untrained_model" in rest:
        table = rest[["untrained_model", "untrained_model_low", "untrained_model_high"]]
    else:
        is_self_reference = rest.eq(UNTRAINED).any(axis=1)
        table = rest.loc[
            is_self_reference, [name for name in ("bits_a_row", "accuracy") if name in rest] + ["low", "high"]
        ]
    np.testing.assert_array_equal(table, [(e.value, e.low, e.high) for e in unedited])


@ALL_THREE
def test_an_untrained_model_that_read_other_stories_is_refused(ask):
    with pytest.raises(ValueError, match=r"different stories \(280 and 84 rows.*have both read the same"):
        ask(untrained=handmade_rows(12))
    with pytest.raises(ValueError, match="different facts at the same sentences"):
        ask(untrained=handmade_rows(seed=1))
