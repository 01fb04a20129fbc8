"""The model that ships: its size, its card, and its accuracy against floors on stories it never saw."""

import json
from random import Random

import pytest

from lm2core.babi.tasks import make_story
from lm2core.babi.text import read_babi
from lm2core.checkpoints import SHIPPED, load_reader, shipped_models
from lm2core.evaluate import predict, score
from tests.conftest import ROOT

NAME = "babi-qa1-3"
CARD = json.loads((SHIPPED / NAME / "card.json").read_text())
UNSEEN_SEED = 987_654_321  # no training run is seeded with it


@pytest.fixture(scope="module")
def reader():
    return load_reader(NAME)


def test_it_is_small_and_says_how_it_was_made():
    assert NAME in shipped_models()
    assert sum(f.stat().st_size for f in (SHIPPED / NAME).iterdir()) < 5_000_000
    assert all(CARD[key] for key in ("commands", "data", "accuracy", "failures"))
    assert CARD["commands"][0].startswith("lm2 train --preset babi-tiny")


@pytest.mark.parametrize("document", ["README.md", "docs/LOG.md"])
def test_card_and_documents_tell_the_same_figures(document):
    text = (ROOT / document).read_text()
    for task in ("qa1", "qa2", "qa3"):
        assert f"| {task} | {CARD['accuracy'][task]:.1%} |" in text


@pytest.mark.slow
@pytest.mark.parametrize("task", ["qa1", "qa2", "qa3"])
def test_generated_stories_are_answered_as_the_card_says_and_above_the_floors(reader, task):
    """The card's figure must lie in the interval measured here, and both floors below it."""
    rng = Random(UNSEEN_SEED)
    stories = [make_story(task, rng) for _ in range(200)]  # five questions each, and they are not independent
    result = score(stories, predict(reader, stories))
    assert result.n == 1000
    assert result.low <= CARD["accuracy"][task] <= result.high
    assert result.low > max(result.majority, result.last_mentioned)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["qa1", "qa2", "qa3"])
def test_the_published_files_are_answered_exactly_as_the_card_says(reader, babi_dir, task):
    stories = read_babi(next(babi_dir.glob(f"{task}_*_train.txt")))
    result = score(stories, predict(reader, stories))
    assert result.accuracy == pytest.approx(CARD["accuracy"][task], abs=0.002)
