"""Samples of one fact, and the labels of the controls."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lm2viz.probes.samples import (
    _sentence_ids,
    clean_banks,
    control_labels,
    fact_samples,
    named_facts,
    shuffle_stories,
)
from tests.handmade import UNUSED
from tests.lm2viz.probes.banks import handmade_rows, table_rows

ROWS = handmade_rows(30)


def test_samples_are_the_rows_where_the_fact_is_known():
    samples = fact_samples(ROWS, "place of Mary", n_folds=5, seed=0)
    known = ROWS.facts["place of Mary"].notna().to_numpy()
    assert samples.features.shape == (known.sum(), 5, 18)
    assert [samples.classes[i] for i in samples.labels] == list(ROWS.facts["place of Mary"][known])
    assert (samples.story == ROWS.story[known]).all()
    first = np.flatnonzero(known)[0]
    assert samples.age[0] == ROWS.segment[first] - ROWS.since["place of Mary"][first] == 0


def test_rounding_is_no_feature():
    """The handmade model's unused slots vary by 1e-11; standardised, that would be as large as a fact."""
    assert 0 < ROWS.banks[:, UNUSED].std(axis=0, dtype=float).max() < 1e-9
    cleaned = clean_banks(ROWS.banks)
    assert (cleaned[:, UNUSED] == 0).all()
    assert cleaned.std(axis=0).max() == pytest.approx(1, rel=1e-5)
    assert (clean_banks(np.ones((4, 2, 3), dtype=np.float32)) == 0).all()


def test_each_story_gets_the_labels_of_another_in_their_order():
    story = np.repeat([5, 6, 7], 3)
    labels = np.array([0, 0, 1, 2, 2, 3, 4, 4, 5])
    shuffled = shuffle_stories(labels, story, np.random.default_rng(0))
    given = [tuple(shuffled[story == name]) for name in (5, 6, 7)]
    assert sorted(given) == [(0, 0, 1), (2, 2, 3), (4, 4, 5)]
    assert all(new != tuple(labels[story == name]) for new, name in zip(given, (5, 6, 7), strict=True))


def test_labels_of_a_shorter_story_are_stretched():
    story, labels = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 2, 2, 3])
    shuffled = shuffle_stories(labels, story, np.random.default_rng(0))
    assert shuffled.tolist() == [2, 2, 0, 0, 1, 1]


def test_shuffled_labels_are_as_frequent_as_before():
    samples = fact_samples(ROWS, "place of John", n_folds=5, seed=1)
    before, after = (np.bincount(x, minlength=4) for x in (samples.labels, samples.shuffled))
    assert np.abs(before - after).max() <= 0.1 * len(samples.labels)
    assert (samples.labels != samples.shuffled).mean() > 0.5


def test_a_control_label_belongs_to_a_type_and_is_about_as_frequent():
    rng = np.random.default_rng(0)
    expected, labels = rng.integers(0, 40, size=2_000), rng.choice(3, p=[0.5, 0.3, 0.2], size=2_000)
    dealt = control_labels(expected, labels, rng)
    assert all(len(np.unique(dealt[expected == kind])) == 1 for kind in range(40))
    shares = np.bincount(dealt) / 2_000
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.04)


def test_the_type_of_a_row_is_what_its_sentence_told():
    expected = _sentence_ids(ROWS)
    now = [
        tuple((f, ROWS.facts[f][i]) for f in ROWS.facts if ROWS.since[f][i] == ROWS.segment[i])
        for i in range(len(expected))
    ]
    assert len(set(zip(now, expected, strict=True))) == len(set(now)) == len(set(expected)) == 3 * 4


def test_refusals_name_the_fact_and_the_counts():
    with pytest.raises(ValueError, match="mood: got 3 stories, but 5 folds need at least 10, two each"):
        fact_samples(table_rows(["calm", "wild", "calm"]), "mood", n_folds=5, seed=0)
    with pytest.raises(ValueError, match="mood: always 'calm' in 12 rows of 4 stories"):
        fact_samples(table_rows(["calm"] * 4), "mood", n_folds=2, seed=0)
    with pytest.raises(ValueError, match="got 1 folds; at least 2"):
        fact_samples(table_rows(["calm", "wild"]), "mood", n_folds=1, seed=0)
    with pytest.raises(ValueError, match="mood: not known in any"):
        fact_samples(table_rows([None, None]), "mood", n_folds=2, seed=0)
    with pytest.raises(ValueError, match="unknown fact hunger; known: mood"):
        named_facts(table_rows(["calm"]), ["hunger"])
    nothing = replace(ROWS, facts=pd.DataFrame(index=range(len(ROWS.story))))
    with pytest.raises(ValueError, match="no facts in the traces; record generated stories.*read_labels"):
        named_facts(nothing, None)
