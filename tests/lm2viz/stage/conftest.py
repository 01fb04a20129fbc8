"""Probes of few stories, and a story's payload."""

import pytest

from lm2core.reading.checkpoints import load
from lm2viz.probes.reading import fit_fact_probes
from lm2viz.sample.story_sample import StorySample
from lm2viz.stage.slot_probes import probes_as_json
from lm2viz.stage.story_payload import story_payload

SENTENCES = ("Mary went to the kitchen.", "John moved to the garden.", "Mary journeyed to the office.")
FACT = "place of Mary"
QUESTIONS = ("Where is Mary?", "Where is John", "Where is Daniel?")


@pytest.fixture(scope="session")
def shipped_lm():
    return load("babi-qa1-3")


@pytest.fixture(scope="session")
def few_probes(shipped_lm):
    sample = StorySample("qa1", 23, 500)
    rows, untrained = (sample.rows(each) for each in sample.model_and_control(shipped_lm))
    return fit_fact_probes(rows, untrained=untrained)


@pytest.fixture(scope="session")
def payload(shipped_lm, few_probes):
    return story_payload(shipped_lm, SENTENCES, QUESTIONS, probes=probes_as_json(few_probes, {FACT: True}))
