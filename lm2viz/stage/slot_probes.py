"""Fitted probes as JSON: what a slot is called on the stage, decoded by Python and in the browser alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lm2viz.arrays import Array

if TYPE_CHECKING:  # scikit-learn, which the first page of the app does without
    from lm2viz.probes.reading import FactProbe

Json = dict[str, Any]
DIGITS = 5
PROBES = Path(__file__).parent / "probes"  # of the shipped models, by name


def probes_as_json(fact_probes: "Mapping[str, FactProbe]", used: Mapping[str, bool]) -> list[Json]:
    """One entry per fact, sorted by name.

    used : by fact, whether the answers use the probe's slot, as ``used_slots`` gives it

    ``weights`` (n_classes, n_dims) and ``bias`` (n_classes,) apply to the raw content of ``slot``: the
    probabilities of ``classes`` are the softmax of ``weights @ content + bias``. ``accuracy`` is on stories
    that neither the probe nor its slot was fitted to, with the 95 % interval ``low`` to ``high``;
    ``untrained`` and ``majority`` are its controls. ``beats_control`` says whether the whole interval lies
    above both. ``used`` is None where no question asks for the fact, or too few pairs of stories do.
    """
    return [_as_json(fact_probes[fact]) | {"used": used.get(fact)} for fact in sorted(fact_probes)]


def _as_json(fact_probe: "FactProbe") -> Json:
    from lm2viz.probes.fitted import raw_coefficients
    from lm2viz.probes.scores import MAJORITY, UNTRAINED

    weights, bias = raw_coefficients(fact_probe.probe, fact_probe.is_used)
    probed = fact_probe.accuracy()
    controls = {
        UNTRAINED: fact_probe.accuracy(UNTRAINED).value,
        MAJORITY: fact_probe.accuracy(MAJORITY).value,
    }
    return {
        "fact": fact_probe.fact,
        "slot": fact_probe.slot,
        "classes": [str(name) for name in fact_probe.probe.classes_],
        "weights": [[round(float(x), DIGITS) for x in row] for row in weights],
        "bias": [round(float(x), DIGITS) for x in bias],
        "accuracy": round(probed.value, DIGITS),
        "low": round(probed.low, DIGITS),
        "high": round(probed.high, DIGITS),
        "untrained": round(controls[UNTRAINED], DIGITS),
        "majority": round(controls[MAJORITY], DIGITS),
        "n_stories": fact_probe.n_stories,
        "beats_control": bool(probed.low > max(controls.values())),
    }


def subject_of(fact: str) -> str:
    """Whom or what a fact is about, in lower case: "place of Mary" is about mary."""
    return fact.split()[-1].lower()


def decode(probe: Json, bank: Array) -> tuple[str, float]:
    """The most probable value given ``bank`` (n_slots, n_dims), and its probability in [0, 1]."""
    scores = np.asarray(probe["weights"]) @ bank[probe["slot"]].astype(float) + np.asarray(probe["bias"])
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    best = int(probabilities.argmax())
    return probe["classes"][best], float(probabilities[best])


def slot_names(
    probes: Sequence[Json], bank: Array, mentioned: set[str], known: Mapping[str, Any]
) -> list[Json]:
    """What the probes decode from ``bank``, one entry for each fact whose subject was mentioned.

    mentioned : the words read so far, in lower case
    known : by fact, its true value first; ``true`` is None for the others
    """
    names = []
    for probe in probes:
        if subject_of(probe["fact"]) in mentioned:
            value, probability = decode(probe, bank)
            true = known.get(probe["fact"])
            names.append(
                {
                    "fact": probe["fact"],
                    "slot": probe["slot"],
                    "value": value,
                    "probability": round(probability, 4),
                    "true": None if true is None else true[0],
                    "beats_control": probe["beats_control"],
                    "used": probe["used"],
                }
            )
    return names
