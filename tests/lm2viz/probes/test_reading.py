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
def readers(rows):
    return fit_fact_probes(rows, untrained=random_banks(rows))


def test_every_reader_looks_at_the_slot_of_its_person(readers):
    assert {fact: lm.slot for fact, lm in readers.items()} == {
        f"place of {person}": slot for person, slot in SLOT_OF.items()
    }


def test_banks_of_other_stories_are_read_without_a_mistake(readers):
    others = handmade_rows(6, seed=77)
    for i in range(len(others.story)):
        known = {fact: (value, 0) for fact, value in others.facts.iloc[i].items() if value is not None}
        known = {fact: expected for fact, expected in known.items() if pd.notna(expected[0])}
        table = decode_facts(readers, others.banks[i], known)
        assert table["is_right"].all()
        assert table["probability"].between(0.25, 1).all()


def test_what_is_read_depends_on_its_slot_alone(rows, readers):
    lm = readers["place of Mary"]
    other_story = np.full_like(rows.banks[-1], 9.0)
    other_story[lm.slot] = rows.banks[-1][lm.slot]
    assert lm.read(other_story) == lm.read(rows.banks[-1])


def test_scores_stand_beside_their_controls(readers):
    for lm in readers.values():
        assert lm.accuracy(PROBE).value == 1
        assert lm.accuracy(UNTRAINED).value < 0.5
        assert lm.accuracy(MAJORITY).value < 0.5
        assert lm.n_stories > 30


def test_shuffled_slots_are_read_at_chance(rows):
    for lm in fit_fact_probes(shuffled_slots(rows)).values():
        assert lm.accuracy().value < 0.5


def test_what_a_probe_learns_by_heart_is_not_scored(rows):
    """Random banks this wide are learnt by heart; on other stories nothing of it is left."""
    banks = np.random.default_rng(0).normal(size=(len(rows.story), 2, 80))
    for lm in fit_fact_probes(with_banks(rows, banks)).values():
        assert lm.accuracy().value < 0.45


def test_dimensions_of_rounding_only_are_left_out(rows):
    noise = np.random.default_rng(0).normal(size=rows.banks.shape) * 1e-9
    banks = np.where(rows.banks.std(axis=0) > 1e-3, rows.banks, noise)
    lm = fit_fact_probes(with_banks(rows, banks))["place of John"]
    assert 0 < lm.is_used.sum() < len(lm.is_used)


def test_a_fact_without_a_reader_is_told_and_not_read(rows, readers):
    table = decode_facts(readers, rows.banks[0], {"place of Nobody": ("garden", 0)})
    (row,) = table.itertuples()
    assert (row.fact, row.true) == ("place of Nobody", "garden")
    assert pd.isna(row.read)
    assert pd.isna(row.slot)
    assert table["is_right"].sum() == 0


def test_no_known_fact_gives_an_empty_table(rows, readers):
    assert decode_facts(readers, rows.banks[0], {}).empty


def test_a_fact_of_one_value_has_no_reader():
    with pytest.raises(ValueError, match="mood: always 'glad'"):
        fit_fact_probes(table_rows(["glad"] * 10))


def test_a_control_of_other_stories_is_refused(rows):
    with pytest.raises(ValueError, match="let both read the same, in the same order"):
        fit_fact_probes(rows, untrained=handmade_rows(8))
