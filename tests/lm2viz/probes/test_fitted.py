"""A fitted probe can be applied, and says what it predicted for stories it was not fitted to."""

import numpy as np
import pytest

from lm2viz.probes import fit_probe, probe
from lm2viz.probes.scores import PROBE
from tests.handmade import SLOT_OF
from tests.lm2viz.probes.banks import handmade_rows, random_banks

ROWS = handmade_rows()
MARY = "place of Mary"


def test_its_coefficients_decode_the_place_from_the_raw_slot():
    fitted = fit_probe(ROWS, MARY)
    known = ROWS.facts[MARY].notna().to_numpy()
    probabilities = fitted.probabilities(ROWS.banks[known])
    assert fitted.slot == SLOT_OF["Mary"]
    assert fitted.coefficients.shape == (4, ROWS.banks.shape[2])
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)
    best = np.array(fitted.classes)[probabilities.argmax(axis=-1)]
    assert best.tolist() == ROWS.facts[MARY][known].tolist()


def test_its_predictions_are_those_that_the_score_counts():
    noise = random_banks(ROWS)
    predictions = fit_probe(noise, MARY, seed=2).predictions
    scores = probe(noise, facts=[MARY], seed=2).best[MARY]
    assert ((predictions["true"] == predictions["predicted"]) == scores.hits[PROBE]).all()
    assert (predictions["story"] == scores.story).all()
    assert predictions["slot"].isin(scores.slots).all()


def test_a_slot_that_is_named_is_taken():
    predictions = fit_probe(ROWS, MARY, slot=SLOT_OF["John"]).predictions
    assert (predictions["slot"] == SLOT_OF["John"]).all()
    assert (predictions["true"] == predictions["predicted"]).mean() < 0.5


def test_a_fact_of_two_values_has_coefficients_for_both():
    known = ROWS.facts[MARY].isin(["garden", "office"]).to_numpy()
    fitted = fit_probe(ROWS.take(known), MARY)
    assert fitted.coefficients.shape[0] == len(fitted.intercepts) == 2
    assert (fitted.probabilities(ROWS.banks[known]).max(axis=-1) > 0.9).all()


def test_what_cannot_be_fitted_is_told():
    with pytest.raises(ValueError, match="unknown fact mood; known: place of John"):
        fit_probe(ROWS, "mood")
    with pytest.raises(ValueError, match="no slot 9; give 0 to 4"):
        fit_probe(ROWS, MARY, slot=9)
    with pytest.raises(ValueError, match="of one slot; give its number"):
        fit_probe(ROWS, MARY, slot="bank")
