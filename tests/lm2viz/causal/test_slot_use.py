"""Each cell gets the word that the construction of the model says: decoded, used, both or neither."""

import numpy as np
import pytest

from lm2viz.causal import slot_use
from lm2viz.causal.slot_use import BOTH, DECODED, NEITHER, NOT_MEASURED, USED, VERDICTS, used_slots
from lm2viz.probes import probe
from tests.handmade import N_SLOTS, SLOT_OF, UNUSED, handmade_lm, handmade_stories
from tests.lm2viz.causal.test_interchange import question_of
from tests.lm2viz.probes.banks import handmade_rows, random_banks, with_banks

LM, STORIES, ROWS = handmade_lm(), handmade_stories(40), handmade_rows()
FACTS = [f"place of {person}" for person in SLOT_OF]


def used(probes, stories=STORIES):
    return slot_use(LM, probes, stories, question_of=question_of)


@pytest.fixture(scope="module")
def result():
    return used(probe(ROWS, untrained=random_banks(ROWS)))


def test_the_slot_of_a_person_is_decoded_and_used_and_the_others_are_neither(result):
    assert sorted(result.facts) == sorted(FACTS)
    for fact in FACTS:
        own = SLOT_OF[fact.removeprefix("place of ")]
        assert result.verdicts(fact) == [BOTH if slot == own else NEITHER for slot in range(N_SLOTS)]
    assert result.verdict.startswith(
        "Of 15 pairs of a slot and a fact, probes decode the fact in 3; the answers use 3"
    )


def test_edits_do_what_the_construction_says(result):
    edits = result.of_fact["place of Mary"].edits
    own, other, empty = SLOT_OF["Mary"], SLOT_OF["John"], UNUSED[0]
    assert [edits[name].value[own] for name in ("resample", "interchange", "isolation")] == [1, 1, 1]
    assert edits["zero"].value[own] > 0.5
    assert [edits[name].value[other] for name in ("zero", "resample", "interchange")] == [0, 0, 0]
    assert edits["isolation"].value[other] < 0.9
    assert [edits[name].value[empty] for name in ("zero", "interchange", "isolation")] == [0, 0, 1]


def test_a_copy_that_the_model_never_reads_is_decoded_and_not_used():
    banks = ROWS.banks.copy()
    banks[:, UNUSED[0]] = banks[:, SLOT_OF["Mary"]]
    decoy = used(probe(with_banks(ROWS, banks), facts=["place of Mary"]))
    assert decoy.verdicts("place of Mary")[UNUSED[0]] == DECODED
    assert decoy.verdicts("place of Mary")[SLOT_OF["Mary"]] == BOTH
    assert "place of Mary: decoded and used: slot 3 (100%); decoded, not used: slot 1" in decoy.summary()


def test_what_no_probe_decodes_can_still_be_used():
    blind = used(probe(random_banks(ROWS)))
    for fact in FACTS:
        own = SLOT_OF[fact.removeprefix("place of ")]
        assert blind.verdicts(fact) == [USED if slot == own else NEITHER for slot in range(N_SLOTS)]


def test_p_values_are_corrected_over_all_cells(result):
    """Of 15 cells three are equally small, so each counts as the third smallest: times 15 / 3."""
    own = SLOT_OF["Mary"]
    raw = result.of_fact["place of Mary"].p[own]
    assert result.used_p[result.facts.index("place of Mary"), own] == pytest.approx(raw * 15 / 3)
    alone = used(probe(ROWS, facts=["place of Mary"]))
    assert alone.used_p[0, own] == pytest.approx(raw * N_SLOTS)


def test_a_fact_without_enough_pairs_is_not_measured_and_refused_alone():
    few = used(probe(ROWS), STORIES[:7])
    assert few.verdicts("place of Mary") == [NOT_MEASURED] * N_SLOTS
    assert "place of Mary: use not measured" in few.summary()
    assert np.isnan(few.used_p).all()
    with pytest.raises(ValueError, match="an interval needs 10 stories"):
        used(probe(ROWS, facts=["place of Mary"]), STORIES[:7])


def test_table_and_figure_have_every_cell(result):
    table = result.table()
    assert len(table) == len(FACTS) * N_SLOTS
    assert {"probe", "selectivity", "zero", "resample", "interchange", "isolation"} <= set(table)
    (heat,) = result.figure().data
    own = list(result.facts).index("place of Mary"), SLOT_OF["Mary"]
    assert VERDICTS[int(heat.z[own])] == BOTH
    assert (heat.z == VERDICTS.index(NEITHER)).sum() == len(FACTS) * (N_SLOTS - 1)
    assert "interchange 100%" in heat.text[own]


def test_a_slot_alone_is_used_where_the_table_says_so_and_facts_without_questions_are_missing():
    own = {fact: SLOT_OF[fact.removeprefix("place of ")] for fact in FACTS}
    assert used_slots(LM, STORIES, own, question_of=question_of) == dict.fromkeys(FACTS, True)
    others = {**dict.fromkeys(FACTS, UNUSED[0]), "place of Zoe": 0}
    assert used_slots(LM, STORIES, others, question_of=question_of) == dict.fromkeys(FACTS, False)
    assert used_slots(LM, STORIES[:4], own, question_of=question_of) == {}
    assert used_slots(LM, STORIES, {"place of Zoe": 0}, question_of=question_of) == {}
