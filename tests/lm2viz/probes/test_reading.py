"""Readers of facts: on the handmade model they read what is there, elsewhere they are at chance."""

import numpy as np
import pandas as pd
import pytest

from lm2viz.probes.reading import decode_facts, fit_fact_probes
from lm2viz.probes.scores import MAJORITY, PROBE, UNTRAINED
from tests.handmade import SLOT_OF
from tests.lm2viz.probes.banks import handmade_rows, random_banks, shuffled_slots, table_rows, with_banks


@pytest.fixture(scope="module")
def rows():
    return handmade_rows()


@pytest.fixture(scope="module")
def probes(rows):
    return fit_fact_probes(rows, untrained=random_banks(rows))


def test_every_probe_decodes_the_slot_of_its_person(probes):
    assert {fact: probe.slot for fact, probe in probes.items()} == {
        f"place of {person}": slot for person, slot in SLOT_OF.items()
    }


def test_banks_of_other_stories_are_decoded_without_a_mistake(probes):
    others = handmade_rows(6, seed=77)
    for i in range(len(others.story)):
        known = {fact: (value, 0) for fact, value in others.facts.iloc[i].items() if value is not None}
        known = {fact: expected for fact, expected in known.items() if pd.notna(expected[0])}
        table = decode_facts(probes, others.banks[i], known)
        assert table["is_right"].all()
        assert table["probability"].between(0.25, 1).all()


def test_what_is_decoded_depends_on_its_slot_alone(rows, probes):
    probe = probes["place of Mary"]
    other_story = np.full_like(rows.banks[-1], 9.0)
    other_story[probe.slot] = rows.banks[-1][probe.slot]
    assert probe.decode(other_story) == probe.decode(rows.banks[-1])


def test_scores_stand_beside_their_controls(probes):
    for probe in probes.values():
        assert probe.accuracy(PROBE).value == 1
        assert probe.accuracy(UNTRAINED).value < 0.5
        assert probe.accuracy(MAJORITY).value < 0.5
        assert probe.n_stories > 30


def test_shuffled_slots_are_read_at_chance(rows):
    for probe in fit_fact_probes(shuffled_slots(rows)).values():
        assert probe.accuracy().value < 0.5


def test_what_a_probe_learns_by_heart_is_not_scored(rows):
    """Random banks this wide are learnt by heart; on other stories nothing of it is left."""
    banks = np.random.default_rng(0).normal(size=(len(rows.story), 2, 80))
    for probe in fit_fact_probes(with_banks(rows, banks)).values():
        assert probe.accuracy().value < 0.45


def test_dimensions_of_rounding_only_are_left_out(rows):
    noise = np.random.default_rng(0).normal(size=rows.banks.shape) * 1e-9
    banks = np.where(rows.banks.std(axis=0) > 1e-3, rows.banks, noise)
    probe = fit_fact_probes(with_banks(rows, banks))["place of John"]
    assert 0 < probe.is_used.sum() < len(probe.is_used)


def test_a_fact_without_a_probe_is_listed_but_not_decoded(rows, probes):
    table = decode_facts(probes, rows.banks[0], {"place of Nobody": ("garden", 0)})
    (row,) = table.itertuples()
    assert (row.fact, row.true) == ("place of Nobody", "garden")
    assert pd.isna(row.read)
    assert pd.isna(row.slot)
    assert table["is_right"].sum() == 0


def test_no_known_fact_gives_an_empty_table(rows, probes):
    assert decode_facts(probes, rows.banks[0], {}).empty


def test_a_fact_of_one_value_has_no_reader():
    with pytest.raises(ValueError, match="mood: always 'glad'"):
        fit_fact_probes(table_rows(["glad"] * 10))


def test_a_control_of_other_stories_is_refused(rows):
    with pytest.raises(ValueError, match="have both read the same, in the same order"):
        fit_fact_probes(rows, untrained=handmade_rows(8))
