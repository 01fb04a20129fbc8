"""Explanations are found, scored on other stories, and are chance where nothing is held."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import explain_slots
from lm2viz.slots.held_out import split_stories, swap_story_banks
from lm2viz.slots.simulation import agreement, correlation, explain_by, explained_share
from tests.handmade import SLOT_OF, UNUSED, handmade_lm, handmade_stories
from tests.lm2viz.slots.test_held_out import rows_of

N_STORIES = 60


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), handmade_stories(N_STORIES), names=["hook_bank"]))


@pytest.fixture(scope="module")
def result(rows):
    return explain_slots(rows)


@pytest.mark.parametrize("person", SLOT_OF)
def test_each_persons_slot_is_explained_by_the_persons_place(result, person):
    explanation = result.of(SLOT_OF[person])
    assert explanation.name == f"place of {person}"
    assert explanation.score.low > 0.99
    assert explanation.explained.value > 0.99
    assert explanation.is_explained
    for control in (explanation.shuffled, explanation.random_fact, explanation.random_slot):
        assert abs(control.value) < 0.35
        assert control.n > 20


def test_slots_that_hold_nothing_are_shown_last_without_a_score(result):
    assert [one.slot for one in result.slots[-2:]] == list(UNUSED)
    assert result.table()["score"].isna().tolist() == [False] * 3 + [True] * 2
    assert "slot 4: nothing varies" in result.summary()
    assert "3 of 5 slots have a score above all controls" in result.summary()
    texts = [note.text for note in result.figure().layout.annotations]
    assert texts.count("nothing varies") == 2


def test_the_best_slot_comes_first_and_controls_are_in_the_figure(result):
    scores = result.table()["score"].dropna().to_numpy()
    assert (np.diff(scores) <= 0).all()
    names = [trace.name for trace in result.figure().data]
    assert names == ["score", "control: stories exchanged", "control: random fact", "control: random slot"]


def test_shuffled_stories_give_chance(rows):
    for one in explain_slots(swap_story_banks(rows, seed=5)).slots[:3]:
        assert abs(one.score.value) < 0.35
        assert one.explained.value < 0.1


def test_same_seed_same_result(rows, result):
    assert explain_slots(rows).table().equals(result.table())
    assert not explain_slots(rows, seed=1).table().equals(result.table())


def test_the_score_is_a_correlation_counted_by_loops(rows):
    train, test = split_stories(rows, seed=2)
    slot, fact = 3, "place of John"
    explanation = explain_by(fact, train, slot)
    known = train.facts[fact].notna().to_numpy()
    centre = train.banks[known, slot].astype(float).mean(axis=0)
    pairs = []
    for i, value in enumerate(test.facts[fact]):
        if value is not None:
            is_same = (train.facts[fact] == value).to_numpy()
            simulated = train.banks[is_same, slot].astype(float).mean(axis=0)
            pairs += zip(simulated - centre, test.banks[i, slot] - centre, strict=True)
    s, r = np.array(pairs).T
    totals = agreement(explanation, train, test, slot).sum(axis=0)[None]
    assert correlation(totals)[0] == pytest.approx((r @ s) / np.sqrt((r @ r) * (s @ s)))
    assert explained_share(totals)[0] == pytest.approx(1 - ((r - s) @ (r - s)) / (r @ r))


def test_scores_of_sums_by_hand():
    totals = np.array([[6.0, 4.0, 16.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    np.testing.assert_allclose(correlation(totals), [0.75, 0.0, np.nan])
    np.testing.assert_allclose(explained_share(totals), [0.5, 0.0, np.nan])


@dataclass(frozen=True)
class StorySentence:
    """An explanation of a fixed vector a value of one fact."""

    name: str
    vectors: pd.DataFrame

    def simulate(self, rows):
        return self.vectors.reindex(rows.facts["mood"].to_numpy()).to_numpy()


def moody_rows():
    """Slot 1 is 1 in a calm story and -1 in a wild one; slot 2 is noise."""
    rows = rows_of([3] * 20)
    banks = rows.banks.copy()
    banks[:, 1] = np.where(rows.facts["mood"] == "calm", 1.0, -1.0)[:, None]
    return replace(rows, banks=banks)


def test_an_explainer_of_ones_own_is_scored_on_stories_it_did_not_see():
    seen = []

    def explain(rows, slot):
        seen.append(set(rows.story))
        return StorySentence("its mood", pd.DataFrame([[2.0] * 4, [-2.0] * 4], index=["calm", "wild"]))

    result = explain_slots(moody_rows(), explain=explain)
    assert result.of(1).name == "its mood"
    assert result.of(1).score.value == pytest.approx(1.0, abs=0.03)
    assert abs(result.of(2).score.value) < 0.4
    assert {frozenset(stories) for stories in seen} == {
        frozenset(split_stories(moody_rows(), seed=0)[0].story)
    }
    assert (result.n_train, result.n_test) == (10, 10)


def test_what_is_not_said_is_not_scored():
    """Nothing is said of wild stories; a slot explained right in calm ones alone does not vary in these."""

    def explain(rows, slot):
        return StorySentence("calm only", pd.DataFrame([[2.0] * 4], index=["calm"]))

    result = explain_slots(moody_rows(), explain=explain)
    assert result.of(1).score.n == 0
    assert result.of(2).score.n < result.n_test


def test_too_few_stories_and_no_facts_are_refused(rows):
    with pytest.raises(ValueError, match="7 stories are too few to hold some out; record at least 8"):
        explain_slots(rows.take(rows.story < 7))
    empty = pd.DataFrame(index=range(len(rows.story)))
    with pytest.raises(ValueError, match="no fact is known .*bank_rows\\(trace, read_labels"):
        explain_slots(replace(rows, facts=empty, since=empty))
