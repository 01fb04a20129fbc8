"""Probes in JSON decode as the fitted ones do; the shipped ones are those that the code fits."""

import json

import numpy as np

from lm2core.traces.fingerprint import fingerprint
from lm2viz.probes.scores import MAJORITY, UNTRAINED
from lm2viz.stage import shipped
from lm2viz.stage.slot_probes import decode, probes_as_json, slot_names
from lm2viz.stage.weights import model_json

MARY, JOHN = "place of Mary", "place of John"


def test_a_probe_in_json_decodes_any_bank_as_the_fitted_one(few_probes):
    rng = np.random.default_rng(3)
    for probe in probes_as_json(few_probes, {}):
        fitted = few_probes[probe["fact"]]
        for bank in rng.normal(size=(7, 24, 64)):
            (value, probability), (expected, p) = decode(probe, bank), fitted.decode(bank)
            assert value == expected
            np.testing.assert_allclose(probability, p, atol=5e-3)


def test_a_probe_of_two_values_keeps_both(few_probes):
    probe = {"slot": 1, "classes": ["no", "yes"], "weights": [[0.0, 0.0], [1.0, -2.0]], "bias": [0.0, 0.5]}
    value, probability = decode(probe, np.array([[9.0, 9.0], [1.0, 2.0]]))
    assert value == "no"
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-2.5)))


def test_a_probe_says_whether_it_beats_its_controls(few_probes):
    for probe in probes_as_json(few_probes, {}):
        fitted = few_probes[probe["fact"]]
        controls = [fitted.accuracy(name).value for name in (UNTRAINED, MAJORITY)]
        assert probe["beats_control"] == (fitted.accuracy().low > max(controls))
        np.testing.assert_allclose([probe["untrained"], probe["majority"]], controls, atol=1e-5)


def test_only_what_was_mentioned_is_named():
    probe = {
        "fact": "place of Mary",
        "slot": 0,
        "classes": ["a", "b"],
        "weights": [[0.0], [1.0]],
        "bias": [0.0, 0.0],
        "beats_control": False,
        "used": True,
    }
    assert slot_names([probe], np.array([[5.0]]), {"john", "went"}, {}) == []
    (name,) = slot_names([probe], np.array([[5.0]]), {"mary"}, {"place of Mary": ("a", 0)})
    assert (name["value"], name["true"], name["beats_control"], name["used"]) == ("b", "a", False, True)


def test_a_probe_says_whether_answers_use_its_slot_and_nothing_where_that_was_not_tested(few_probes):
    by_fact = {probe["fact"]: probe for probe in probes_as_json(few_probes, {MARY: True, JOHN: False})}
    assert [by_fact[fact]["used"] for fact in (MARY, JOHN, "place of Daniel")] == [True, False, None]


def test_the_places_of_people_are_used_and_who_holds_what_is_not_by_the_shipped_verdicts():
    """What slots are called on the first page: the probes of holders find what no answer goes by."""
    kept = json.loads((shipped.PROBES / "babi-qa1-10.json").read_text())["probes"]
    used = {probe["fact"]: probe["used"] for task in kept.values() for probe in task}
    assert all(used[f"place of {person}"] for person in ("Daniel", "John", "Mary", "Sandra"))
    assert all(used[f"holder of {thing}"] is False for thing in ("apple", "football", "milk"))


def test_the_shipped_probes_are_those_that_the_code_fits(shipped_lm):
    kept = json.loads((shipped.PROBES / "babi-qa1-3.json").read_text())
    assert kept["weights"] == fingerprint(shipped_lm.model)
    for old, new in zip(kept["probes"]["qa1"], shipped.fitted_probes(shipped_lm, "qa1"), strict=True):
        assert {k: v for k, v in old.items() if k not in ("weights", "bias")} == {
            k: v for k, v in new.items() if k not in ("weights", "bias")
        }
        np.testing.assert_allclose(old["weights"], new["weights"], atol=0.02)


def test_every_shipped_lm2_has_probes_of_its_present_weights():
    from lm2core.model.causal_lm import LM2ForCausalLM
    from lm2core.reading.checkpoints import load, shipped_models

    for name in shipped_models():
        lm = load(name)
        assert isinstance(lm.model, LM2ForCausalLM) and model_json(lm)
        kept = json.loads((shipped.PROBES / f"{name}.json").read_text())
        assert kept["weights"] == fingerprint(lm.model)
        assert all(kept["probes"][task] for task in shipped.TASKS)


def test_a_model_with_other_weights_does_not_get_the_shipped_probes(shipped_lm, monkeypatch):
    monkeypatch.setattr(shipped, "fingerprint", lambda model: "another")
    monkeypatch.setattr(shipped, "N_STORIES", 17)
    fitted = shipped.stage_probes(shipped_lm)["qa1"]
    assert fitted and all(probe["n_stories"] <= 17 for probe in fitted)
