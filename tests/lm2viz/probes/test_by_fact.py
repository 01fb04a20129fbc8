"""Facts probed one by one are the matrix of all, and one slot's probe is the one the matrix chose."""

import numpy as np
import pandas as pd
import pytest

from lm2viz.figures.slot_facts import accuracy_matrices, accuracy_points
from lm2viz.probes import probe
from lm2viz.probes.by_fact import MEANING, as_slot, best_slots, probe_fact, probe_slot, side_by_side
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED, UNTRAINED
from lm2viz.sample.rows import BankRows
from tests.lm2viz.probes.banks import handmade_rows, random_banks

N_STORIES = 24


@pytest.fixture(scope="module")
def rows():
    """One fact is always the same, so that it cannot be probed."""
    result = handmade_rows(N_STORIES)
    facts, since = result.facts.copy(), result.since.copy()
    facts.insert(1, "weather", "fine")
    since.insert(1, "weather", 0)
    return BankRows(result.banks, result.story, result.segment, facts, since)


@pytest.fixture(scope="module")
def result(rows):
    control = random_banks(rows)
    return side_by_side({fact: probe_fact(rows, control, fact) for fact in rows.facts})


def test_facts_probed_one_by_one_are_the_matrix_of_all(rows, result):
    overall = probe(rows, untrained=random_banks(rows))
    assert result.facts == overall.facts
    assert result.best.keys() == overall.best.keys()
    assert set(result.names) == {PROBE, MAJORITY, SHUFFLED, CONTROL_TASK, UNTRAINED}
    pd.testing.assert_frame_equal(result.table(), overall.table())
    assert np.isnan(result.matrix()[:, result.facts.index("weather")]).all()


def test_when_no_fact_can_be_probed_the_error_says_what_is_needed(rows):
    with pytest.raises(ValueError, match="too few stories or values to probe weather"):
        side_by_side({"weather": probe_fact(rows, rows, "weather")})


def test_the_table_has_each_best_slot_with_every_control(result):
    table = best_slots(result)
    assert table["fact"].tolist() == [fact for fact in result.facts if fact != "weather"]
    for row in table.to_dict("records"):
        fact = row["fact"]
        assert row["best slot"] == result.slot_of(fact)
        assert row["accuracy"] == result.accuracy(fact).value
        assert row["selectivity"] == pytest.approx(row["accuracy"] - row[CONTROL_TASK])
        for name in MEANING:
            assert row[name] == result.accuracy(fact, name).value
        assert row["stories"] == result.best[fact].n_stories > 2


def test_the_probe_of_the_best_slot_is_that_of_the_matrix_and_of_a_wrong_slot_is_worse(rows, result):
    fact, control = result.facts[0], random_banks(rows)
    best = probe_slot(rows, control, fact, "best")
    for name, hits in result.best[fact].hits.items():
        np.testing.assert_array_equal(best.hits[name], hits)
    unedited = probe_slot(rows, control, fact, result.slot_of(fact)).estimate(PROBE).value
    n_slots = rows.banks.shape[1]
    others = [
        probe_slot(rows, control, fact, slot).estimate(PROBE).value
        for slot in range(n_slots)
        if slot != result.slot_of(fact)
    ]
    assert unedited > 0.9 > min(others)
    with pytest.raises(ValueError, match=f"no slot {n_slots}"):
        probe_slot(rows, control, fact, n_slots)


def test_a_slot_is_called_by_number_or_kind():
    assert [as_slot(name) for name in ("best", "bank", "11")] == ["best", "bank", 11]


def test_the_picture_has_facts_in_rows_and_the_bank_at_last(result):
    figure = accuracy_matrices(
        {"probe": result.matrix(), "other": result.matrix(SHUFFLED)}, facts=result.facts
    )
    np.testing.assert_array_equal(figure.data[1].z, result.matrix(SHUFFLED).T)
    assert figure.data[0].text[2][-1] == f"{result.facts[2]}, whole bank"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_points_carry_their_intervals(result):
    fact = result.facts[0]
    estimates = {name: result.accuracy(fact, name) for name in (PROBE, SHUFFLED)}
    for trace, (name, estimate) in zip(accuracy_points(estimates).data, estimates.items(), strict=True):
        assert (trace.x[0], trace.y[0]) == (estimate.value, name)
        assert trace.error_x.array[0] == estimate.high - estimate.value
        assert trace.error_x.arrayminus[0] == estimate.value - estimate.low
