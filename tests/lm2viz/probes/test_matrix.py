"""Each slot's fact is found where it was put, and nowhere else; controls find chance."""

import numpy as np
import pytest

from lm2viz.probes import probe
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED, UNTRAINED
from tests.handmade import PLACES, SLOT_OF
from tests.lm2viz.probes.banks import handmade_rows, random_banks, shuffled_slots, table_rows, with_banks

ROWS = handmade_rows()
CHANCE = 1 / len(PLACES)
N_SLOTS = ROWS.banks.shape[1]


@pytest.fixture(scope="module")
def result():
    return probe(ROWS, untrained=random_banks(ROWS))


def test_a_persons_slot_alone_holds_her_place(result):
    for j, fact in enumerate(result.facts):
        cells = result.matrix()[:, j]
        unedited = SLOT_OF[fact.removeprefix("place of ")]
        assert cells[unedited] == 1
        assert np.delete(cells[:N_SLOTS], unedited).max() < CHANCE + 0.15
        assert cells[N_SLOTS] > 0.95  # the whole bank has it too


def test_the_best_slot_is_the_persons_and_its_controls_are_at_chance(result):
    for fact in result.facts:
        assert result.best[fact].slots == (SLOT_OF[fact.removeprefix("place of ")],) * 5
        assert result.accuracy(fact).value == 1
        for name in (MAJORITY, SHUFFLED, UNTRAINED):
            assert result.accuracy(fact, name).value < CHANCE + 0.15
        assert result.selectivity(fact).low > 0.2


def test_shuffled_labels_give_chance_in_every_cell(result):
    cells = result.matrix(SHUFFLED)
    assert abs(cells.mean() - CHANCE) < 0.06
    assert cells.max() < CHANCE + 0.2


def test_shuffled_slots_give_chance_in_every_slot():
    result = probe(shuffled_slots(ROWS), n_folds=4)
    assert result.matrix().max() < CHANCE + 0.2
    for fact in result.facts:
        assert result.accuracy(fact, minus=MAJORITY).low < 0.05


def test_a_fact_that_cannot_be_probed_is_empty_unless_asked_for():
    rows = handmade_rows(12)
    rows.facts["mood"], rows.since["mood"] = "calm", 0
    result = probe(rows, n_folds=3)
    j = result.facts.index("mood")
    assert all(np.isnan(result.matrix(name)[:, j]).all() for name in result.names)
    table = result.table()
    assert (table[table["fact"] == "mood"]["n_rows"] == 0).all()
    assert "mood: too few stories or values" in result.summary()
    heat = result.figure().data[0]
    assert np.isnan(heat.z[j]).all()
    with pytest.raises(ValueError, match="mood: always 'calm' in 84 rows of 12 stories"):
        probe(rows, facts=["mood"], n_folds=3)


def test_when_nothing_can_be_probed_it_says_why():
    with pytest.raises(ValueError, match="mood: got 3 stories, but 5 folds need at least 10"):
        probe(table_rows(["calm", "wild", "calm"]))


def test_control_rows_of_other_stories_are_refused():
    with pytest.raises(ValueError, match=r"different stories \(280 and 84 rows.*have both read the same"):
        probe(ROWS, untrained=handmade_rows(12))
    with pytest.raises(ValueError, match="different facts at the same sentences"):
        probe(ROWS, untrained=handmade_rows(seed=1))


def test_a_bank_that_never_changes_scores_the_majority():
    still = with_banks(ROWS, np.ones_like(ROWS.banks))
    result = probe(still, facts=["place of Mary"])
    np.testing.assert_allclose(result.matrix(), result.matrix(MAJORITY))
    assert result.accuracy("place of Mary", minus=MAJORITY).value == 0


def test_the_same_seed_gives_the_same_numbers():
    once, again = (probe(ROWS, facts=["place of Mary"], n_folds=3, seed=4) for _ in range(2))
    assert again.table().equals(once.table())


def test_table_and_summary_have_the_controls(result):
    table = result.table()
    assert len(table) == 3 * (N_SLOTS + 2)
    assert {"majority", "shuffled_labels", "control_task", "untrained_model", "low", "high"} <= set(table)
    for name in ("", "majority", "shuffled_labels", "control_task", "untrained_model", "selectivity"):
        low, high = (f"{name}_{end}".strip("_") for end in ("low", "high"))
        value = table[name or "accuracy"]
        assert ((table[low] <= value) & (value <= table[high]) & (table[low] < table[high])).all()
    row = table[(table["slot"] == "best") & (table["fact"] == "place of John")].iloc[0]
    assert row["selectivity"] == pytest.approx(1 - result.accuracy("place of John", CONTROL_TASK).value)
    assert "slot 0 (chosen in 5 of 5 folds) 100.0%" in result.summary()
    assert "control task" in result.summary()


def test_the_figure_has_probe_and_controls_on_one_scale(result):
    figure = result.figure()
    assert [t.name for t in figure.data[:4]] == [PROBE, SHUFFLED, CONTROL_TASK, UNTRAINED]
    assert (figure.data[0].z == result.matrix().T).all()
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    assert [t.name for t in figure.data[4:]] == [PROBE, MAJORITY, SHUFFLED, CONTROL_TASK, UNTRAINED]
