"""The example stories that ship with their payloads: files, and what the code makes of them now."""

import json

import pytest

from lm2core.reading.checkpoints import load, shipped_models
from lm2viz.stage import shipped
from lm2viz.stage.examples import (
    PAYLOADS,
    example_names,
    example_questions,
    example_story,
    shipped_engine,
    shipped_payload,
)
from lm2viz.stage.weights import model_json

FIRST = shipped_models()[0]


@pytest.fixture(scope="module")
def first_lm():
    return load(FIRST)


def numbers_and_rest(values):
    """All numbers of a JSON in their order, and the JSON with a 0 in place of each."""
    numbers = []

    def strip(value):
        if isinstance(value, float):
            numbers.append(value)
            return 0
        if isinstance(value, list):
            return [strip(each) for each in value]
        return {name: strip(each) for name, each in value.items()} if isinstance(value, dict) else value

    return strip(values), numbers


def test_the_shipped_payloads_are_those_that_the_code_makes(first_lm):
    shipped_json = json.loads((PAYLOADS / f"{FIRST}.json").read_text())
    kept, old = numbers_and_rest(shipped_json)
    made, new = numbers_and_rest(shipped.first_page(first_lm))
    assert kept == made
    assert new == pytest.approx(old, abs=2e-4)  # rounded to four digits


def test_every_example_has_a_payload_and_other_stories_questions_and_models_have_none():
    for name in example_names():
        story = example_story(name)
        questions = example_questions(story)
        assert shipped_payload(FIRST, story.sentences, questions)["questions"][0]["text"] == questions[0]
        assert shipped_payload(FIRST, story.sentences[1:], questions) is None
        assert shipped_payload(FIRST, story.sentences, questions[1:]) is None
        assert shipped_payload("babi-qa1-3", story.sentences, questions) is None


def test_the_engine_of_the_first_model_is_what_the_model_gives(first_lm):
    assert shipped_engine(FIRST) == {"model": model_json(first_lm), "probes": shipped.stage_probes(first_lm)}
    assert shipped_engine("babi-qa1-3") is None
