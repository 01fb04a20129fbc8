"""Ridge in closed form equals scikit-learn's; slots are chosen on training stories alone."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lm2viz.probes.linear import choose_slots, predict, slot_features, story_folds
from lm2viz.probes.ridge import ridge_hits

N_STORIES, N_ROWS, N_SLOTS, N_DIMS, N_CLASSES = 30, 4, 3, 5, 4


@pytest.fixture
def planted():
    """Slot 2 holds the label, with noise; its last dimension never changes."""
    rng = np.random.default_rng(0)
    story = np.repeat(np.arange(N_STORIES), N_ROWS)
    labels = rng.integers(0, N_CLASSES, size=len(story))
    features = rng.normal(size=(len(story), N_SLOTS, N_DIMS))
    features[:, 2] += 2.0 * np.eye(N_CLASSES, N_DIMS)[labels]
    features[..., -1] = 0.0
    return features, labels, story


@pytest.mark.parametrize("n_more", [0, N_STORIES * N_ROWS], ids=["few dimensions", "more than samples"])
def test_ridge_equals_scikit_learn_slot_by_slot(planted, n_more):
    features, labels, story = planted
    more = np.random.default_rng(2).normal(size=(*features.shape[:2], n_more))
    features = np.concatenate([features, more], axis=2)
    other = np.random.default_rng(1).permutation(labels)
    fold = story_folds(story, 5, seed=0)
    hits = ridge_hits(features, np.stack([labels, other]), fold)
    assert hits.shape == (2, N_SLOTS, len(story))
    for task, expected in enumerate((labels, other)):
        for slot in range(N_SLOTS):
            for k in range(5):
                probe = make_pipeline(StandardScaler(), RidgeClassifier())
                probe.fit(features[fold != k, slot], expected[fold != k])
                named = probe.predict(features[fold == k, slot]) == expected[fold == k]
                assert (hits[task, slot, fold == k] == named).all()


def test_a_story_is_in_one_fold(planted):
    _, _, story = planted
    fold = story_folds(story, 5, seed=3)
    assert all(len(np.unique(fold[story == name])) == 1 for name in range(N_STORIES))
    assert np.bincount(fold).tolist() == [6 * N_ROWS] * 5


def test_each_task_gets_the_slot_that_holds_it(planted):
    features, labels, story = planted
    other_story = np.random.default_rng(2).integers(0, N_CLASSES, size=len(story))
    features[:, 0] += 3.0 * np.eye(N_CLASSES, N_DIMS)[other_story]
    assert choose_slots(features, np.stack([labels, other_story]), story, seed=0).tolist() == [2, 0]


def test_held_out_labels_do_not_choose_the_slot(planted):
    features, labels, story = planted
    train, test = np.flatnonzero(story < 12), np.flatnonzero(story >= 12)
    features[test, 2] = 0.0
    features[test, 0] = 9.0 * np.eye(N_CLASSES, N_DIMS)[labels[test]]  # only a peek would choose slot 0
    result = predict(features, labels[None], story, train=train, test=test, seed=0)
    assert result.slots.tolist() == [2]
    assert result.probabilities.shape == (1, len(test), N_CLASSES)
    np.testing.assert_allclose(result.probabilities.sum(axis=-1), 1)


def test_one_value_in_training_is_predicted_throughout(planted):
    features, labels, story = planted
    train, test = np.flatnonzero(story < 4), np.flatnonzero(story >= 4)
    labels[train] = 1
    result = predict(features, labels[None], story, train=train, test=test, seed=0)
    assert (result.probabilities[0].argmax(-1) == 1).all()


def test_slots_are_picked_by_number_all_or_joined(planted):
    features, *_ = planted
    assert (slot_features(features, 1) == features[:, [1]]).all()
    assert slot_features(features, "best") is features
    assert (slot_features(features, "bank")[:, 0, N_DIMS:][:, :N_DIMS] == features[:, 1]).all()
    with pytest.raises(ValueError, match='no slot 3; give 0 to 2, "best" or "bank"'):
        slot_features(features, 3)
