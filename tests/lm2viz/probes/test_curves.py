"""Decay, code length and learning curve find what the handmade model holds, and chance elsewhere."""

from math import log2

import numpy as np
import pytest

from lm2viz.probes import codelength, decay, learning_curve
from lm2viz.probes.codelength import _never_zero
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED
from tests.handmade import PLACES, SLOT_OF, UNUSED
from tests.lm2viz.probes.banks import handmade_rows, table_rows, with_banks

ROWS = handmade_rows()
CHANCE = 1 / len(PLACES)
FACT = "place of Mary"


def test_a_memory_that_forgets_nothing_does_not_decay():
    found = decay(ROWS, edges=(0, 1, 3))
    assert [(part.first, part.last) for part in found.bins] == [(0, 0), (1, 2), (3, 6)]
    for part in found.bins:
        assert part.accuracy[PROBE].value == 1
        assert part.accuracy[SHUFFLED].value < CHANCE + 0.2
    n_known = int(ROWS.facts.notna().sum().sum())
    assert found.table()["n_rows"].sum() == n_known


def test_what_is_overwritten_after_two_sentences_decays_there():
    known = ROWS.facts[FACT].notna().to_numpy()
    age = np.zeros(len(known))
    age[known] = ROWS.segment[known] - ROWS.since[FACT][known].to_numpy(dtype=int)
    forgotten = with_banks(ROWS, np.where((age < 2)[:, None, None], ROWS.banks, 0))
    found = decay(forgotten, facts=[FACT], slot=SLOT_OF["Mary"], edges=(0, 1, 2))
    accuracy = [part.accuracy[PROBE].value for part in found.bins]
    assert accuracy[:2] == [1, 1]
    assert accuracy[2] < 0.6


def test_edges_must_ascend_from_zero():
    with pytest.raises(ValueError, match=r"edges must ascend from 0, got \[1, 3\]"):
        decay(ROWS, edges=(1, 3))


def test_a_fact_in_the_slot_is_cheap_and_shuffled_labels_are_not():
    found = codelength(ROWS, FACT)
    assert found.uniform == log2(len(PLACES))
    assert found.compression().low > 2
    assert found.compression(SHUFFLED).value < 1.1
    assert found.total_bits() == pytest.approx(found.bits[PROBE].value * found.bits[PROBE].n)


def test_an_unused_slot_costs_about_the_uniform_code():
    found = codelength(ROWS, FACT, slot=UNUSED[0])
    assert found.bits[PROBE].value == pytest.approx(found.uniform, rel=0.12)


def test_every_story_but_those_of_the_first_portion_is_coded_by_what_came_before():
    """Features that are noise: a code that trained on what it sends would be short."""
    rows = table_rows(["calm", "wild"] * 20, n_dims=30)
    found = codelength(rows, "mood", slot="bank")
    assert found.bits[PROBE].value > 1


def test_the_code_s_probabilities_sum_to_one_and_none_is_zero():
    mixed = _never_zero(np.array([0.0, 0.25, 0.75]), 9, 3)
    assert mixed.sum() == pytest.approx(1)
    assert mixed[0] == pytest.approx(1 / 30)


def test_a_planted_fact_is_learnt_from_few_stories_and_shuffled_labels_never():
    found = learning_curve(ROWS, FACT, sizes=(6, 12, 24))
    assert found.sizes == (6, 12, 24)
    probe = [estimate.value for estimate in found.accuracy[PROBE]]
    assert probe == sorted(probe)
    assert probe[-1] == 1
    for name in (MAJORITY, SHUFFLED):
        assert max(e.value for e in found.accuracy[name]) < CHANCE + 0.2
    control = [estimate.value for estimate in found.accuracy[CONTROL_TASK]]
    assert control[0] < control[-1] < 1  # 12 types: more stories, more of them met


def test_sizes_that_the_stories_do_not_allow_are_refused():
    with pytest.raises(ValueError, match=r"training stories must be 4 to \d+ .*got \[3, 99\]"):
        learning_curve(ROWS, FACT, sizes=(3, 99))


@pytest.mark.parametrize("ask", [codelength, learning_curve])
def test_a_fact_that_does_not_occur_is_refused(ask):
    with pytest.raises(ValueError, match="no fact hunger; these rows know: place of John"):
        ask(ROWS, "hunger")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: decay(ROWS, facts=[FACT], slot=3, n_folds=3),
        lambda: codelength(ROWS, FACT, slot=3),
        lambda: learning_curve(ROWS, FACT, slot=3, sizes=(9, 20), n_folds=3),
    ],
)
def test_results_say_their_controls_in_words_rows_and_pictures(ask):
    found = ask()
    assert SHUFFLED in found.summary()
    table = found.table()
    assert {"low", "high", "n_rows", "n_stories"} <= set(table)
    names = [trace.name for trace in found.figure().data]
    assert SHUFFLED in names or SHUFFLED in found.figure().data[0].y
    assert ask().table().equals(table)
