"""Facts probed one by one are the matrix of all, and one slot's probe is the one the matrix chose."""

import numpy as np
import pandas as pd
import pytest

from lm2viz.figures.slot_facts import accuracy_matrices, accuracy_points
from lm2viz.probes import slot_fact_matrix
from lm2viz.probes.by_fact import MEANING, as_slot, best_slots, probe_fact, probe_slot, side_by_side
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED, UNTRAINED
from lm2viz.sample.rows import BankRows
from tests.lm2viz.probes.banks import handmade_rows, random_banks

N_STORIES = 24


@pytest.fixture(scope="module")
def rows():
    """One fact is always the same, so that it cannot be probed."""
    found = handmade_rows(N_STORIES)
    facts, since = found.facts.copy(), found.since.copy()
    facts.insert(1, "weather", "fine")
    since.insert(1, "weather", 0)
    return BankRows(found.banks, found.story, found.segment, facts, since)


@pytest.fixture(scope="module")
def found(rows):
    control = random_banks(rows)
    return side_by_side({fact: probe_fact(rows, control, fact) for fact in rows.facts})


def test_facts_probed_one_by_one_are_the_matrix_of_all(rows, found):
    whole = slot_fact_matrix(rows, untrained=random_banks(rows))
    assert found.facts == whole.facts
    assert found.best.keys() == whole.best.keys()
    assert set(found.names) == {PROBE, MAJORITY, SHUFFLED, CONTROL_TASK, UNTRAINED}
    pd.testing.assert_frame_equal(found.table(), whole.table())
    assert np.isnan(found.matrix()[:, found.facts.index("weather")]).all()


def test_when_no_fact_can_be_probed_the_error_says_what_is_needed(rows):
    with pytest.raises(ValueError, match="too few stories or values to probe weather"):
        side_by_side({"weather": probe_fact(rows, rows, "weather")})


def test_the_table_has_each_best_slot_with_every_control(found):
    table = best_slots(found)
    assert table["fact"].tolist() == [fact for fact in found.facts if fact != "weather"]
    for row in table.to_dict("records"):
        fact = row["fact"]
        assert row["best slot"] == found.slot_of(fact)
        assert row["accuracy"] == found.accuracy(fact).value
        assert row["selectivity"] == pytest.approx(row["accuracy"] - row[CONTROL_TASK])
        for name in MEANING:
            assert row[name] == found.accuracy(fact, name).value
        assert row["stories"] == found.best[fact].n_stories > 2


def test_the_probe_of_the_best_slot_is_that_of_the_matrix_and_of_a_wrong_slot_is_worse(rows, found):
    fact, control = found.facts[0], random_banks(rows)
    best = probe_slot(rows, control, fact, "best")
    for name, hits in found.best[fact].hits.items():
        np.testing.assert_array_equal(best.hits[name], hits)
    own = probe_slot(rows, control, fact, found.slot_of(fact)).estimate(PROBE).value
    n_slots = rows.banks.shape[1]
    others = [
        probe_slot(rows, control, fact, slot).estimate(PROBE).value
        for slot in range(n_slots)
        if slot != found.slot_of(fact)
    ]
    assert own > 0.9 > min(others)
    with pytest.raises(ValueError, match=f"no slot {n_slots}"):
        probe_slot(rows, control, fact, n_slots)


def test_a_slot_is_called_by_number_or_kind():
    assert [as_slot(name) for name in ("best", "bank", "11")] == ["best", "bank", 11]


def test_the_picture_has_facts_in_rows_and_the_bank_at_last(found):
    figure = accuracy_matrices({"probe": found.matrix(), "other": found.matrix(SHUFFLED)}, facts=found.facts)
    np.testing.assert_array_equal(figure.data[1].z, found.matrix(SHUFFLED).T)
    assert figure.data[0].text[2][-1] == f"{found.facts[2]}, whole bank"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_points_carry_their_intervals(found):
    fact = found.facts[0]
    estimates = {name: found.accuracy(fact, name) for name in (PROBE, SHUFFLED)}
    for trace, (name, estimate) in zip(accuracy_points(estimates).data, estimates.items(), strict=True):
        assert (trace.x[0], trace.y[0]) == (estimate.value, name)
        assert trace.error_x.array[0] == estimate.high - estimate.value
        assert trace.error_x.arrayminus[0] == estimate.value - estimate.low
