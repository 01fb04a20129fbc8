"""Components of slots are those of scikit-learn, with a sign that does not depend on the data's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from lm2viz.sample.rows import BankRows
from lm2viz.stats import SlotPCA

N_ROWS, N_SLOTS, N_DIMS = 30, 4, 6


def rows_of(banks, facts=None):
    n = len(banks)
    facts = pd.DataFrame({"mood": ["calm", None] * (n // 2)} if facts is None else facts, dtype=object)
    return BankRows(np.asarray(banks, dtype=np.float32), np.arange(n) // 3, np.arange(n) % 3, facts, facts)


@pytest.fixture
def banks():
    return np.random.default_rng(0).normal(size=(N_ROWS, N_SLOTS, N_DIMS)).astype(np.float32)


def test_points_on_a_line_lie_at_their_distances_along_it():
    banks = np.zeros((4, 1, 2))
    banks[:, 0] = np.outer([-2.0, 1.0, 4.0, 5.0], [0.6, -0.8])  # mean at 2; the largest loading is negative
    pca = SlotPCA([0], n_components=1).fit(rows_of(banks))
    np.testing.assert_allclose(pca.components_, [[-0.6, 0.8]], atol=1e-6)
    np.testing.assert_allclose(
        pca.transform(rows_of(banks)).coordinates[:, 0], [4.0, 1.0, -2.0, -3.0], atol=1e-5
    )


def test_components_are_scikit_learns_up_to_sign_and_the_largest_loading_is_positive(banks):
    for data in (banks, -banks):
        pca = SlotPCA([1, 3], n_components=3).fit(rows_of(data))
        reference = PCA(3, svd_solver="full").fit(data[:, [1, 3]].reshape(-1, N_DIMS))
        np.testing.assert_allclose(np.abs(pca.components_), np.abs(reference.components_), atol=1e-5)
        largest = np.abs(pca.components_).argmax(axis=1)
        assert (pca.components_[np.arange(3), largest] > 0).all()


def test_turning_the_data_round_leaves_the_components_as_they_are(banks):
    there, back = (SlotPCA([2]).fit(rows_of(x)).components_ for x in (banks, -banks))
    np.testing.assert_allclose(there, back, atol=1e-6)


def test_each_point_knows_its_story_sentence_slot_and_facts(banks):
    rows = rows_of(banks)
    projection = SlotPCA([3, 1]).fit(rows).transform(rows.take(np.array([5, 6])))
    table = projection.rows
    assert list(table.columns) == ["story", "segment", "slot", "mood"]
    places = [[1, 2, 3], [1, 2, 1], [2, 0, 3], [2, 0, 1]]
    assert table[["story", "segment", "slot"]].to_numpy().tolist() == places
    assert list(table["mood"]) == [None, None, "calm", "calm"]
    pca = SlotPCA([3, 1]).fit(rows)
    by_hand = pca.components_ @ (banks[6, 1] - pca.mean_)
    np.testing.assert_allclose(projection.coordinates[3], by_hand, atol=1e-5)


def test_slots_components_and_constants_that_do_not_fit_are_refused(banks):
    with pytest.raises(ValueError, match=r"slots \[4\] for a bank of 4; choose from 0 to 3"):
        SlotPCA([1, 4]).fit(rows_of(banks))
    with pytest.raises(ValueError, match=r"slots none for a bank of 4"):
        SlotPCA([]).fit(rows_of(banks))
    with pytest.raises(ValueError, match=r"slots \[3, 1, 3\] name a slot twice; give each once"):
        SlotPCA([3, 1, 3]).fit(rows_of(banks))
    with pytest.raises(ValueError, match="7 components to 30 points of 6 dimensions; choose 1 to 6"):
        SlotPCA([1], n_components=7).fit(rows_of(banks))
    banks[:, 2] = banks[0, 2]
    with pytest.raises(ValueError, match=r"slots \[2\] never change; choose other slots"):
        SlotPCA([2]).fit(rows_of(banks))
