"""The models that ship: their sizes, cards, and accuracy against floors on stories they never saw."""

import json
from random import Random

import pytest

from lm2core.babi.tasks import make_story
from lm2core.babi.text import read_babi
from lm2core.babilong.background_text import open_noise
from lm2core.babilong.excerpts import Background
from lm2core.babilong.samples import generated_stories, make_samples
from lm2core.evaluation.long_texts import predict_long, score_long
from lm2core.evaluation.stories import predict, score
from lm2core.model.sizes import n_parameters
from lm2core.reading.checkpoints import SHIPPED, load, shipped_models
from tests.conftest import ROOT


def read_card(name):
    return json.loads((SHIPPED / name / "card.json").read_text())


NAMES = shipped_models(baselines=True)
CARDS = {name: read_card(name) for name in NAMES}
MEMORY = "smollm2-135m-stories"
BASELINES = sorted(set(NAMES) - set(shipped_models()))
ON_FILES = [(name, task) for name in ("babi-qa1-3", "babi-qa1-10") for task in CARDS[name]["accuracy"]]
FORMS = ("qa1", "qa6", "qa7", "qa8")  # answers: a place, yes or no, a number, a list
OF_BASELINES = [(name, task) for name in BASELINES for task in FORMS]
IN_NOISE = "babilong-qa1-5"
UNSEEN_SEED = 987_654_321  # no training run is seeded with it


@pytest.fixture(scope="module")
def lm(request):
    return load(request.param, baselines=True)


@pytest.mark.parametrize("name", shipped_models(baselines=True, memories=True))
def test_it_is_small_and_says_how_it_was_made(name):
    card = read_card(name)
    most = 12_000_000 if name == MEMORY else 5_000_000
    assert sum(f.stat().st_size for f in (SHIPPED / name).iterdir()) < most
    assert all(card[key] for key in ("commands", "steps", "data", "accuracy", "failures"))
    assert "seed" in card
    assert card["commands"][0].startswith("lm2 train --preset")


@pytest.mark.parametrize("document", ["docs/MODELS.md", "docs/LOG.md"])
def test_card_and_documents_tell_the_same_figures_of_the_memory(document):
    """A row of the table is ``| one-fact, 10 sentences | accuracy | ...``."""
    text = (ROOT / document).read_text()
    for cell, accuracy in read_card(MEMORY)["accuracy"].items():
        assert f"| {cell} | {accuracy:.1%} |" in text


@pytest.mark.parametrize("document", ["docs/MODELS.md", "docs/LOG.md"])
@pytest.mark.parametrize("name", ["babi-qa1-3", "babi-qa1-10"])
def test_card_and_documents_tell_the_same_figures(name, document):
    """A row of the table is ``| task | babi-qa1-10 | babi-qa1-3 | ...``, with a dash where there is none."""
    text = (ROOT / document).read_text()
    for task in CARDS["babi-qa1-10"]["accuracy"]:
        cells = [CARDS[model]["accuracy"].get(task) for model in ("babi-qa1-10", "babi-qa1-3")]
        expected = " | ".join("-" if cell is None else f"{cell:.1%}" for cell in cells)
        assert f"| {task} | {expected} |" in text


@pytest.mark.parametrize("document", ["docs/MODELS.md", "docs/LOG.md"])
@pytest.mark.parametrize("name", BASELINES)
def test_card_and_documents_tell_the_same_figures_of_a_baseline(name, document):
    """A row of the table is ``| babi-qa1-10-llama | qa1 | qa2 | ... | mean |``."""
    accuracy = CARDS[name]["accuracy"]
    assert list(accuracy) == list(CARDS["babi-qa1-10"]["accuracy"])
    expected = [*accuracy.values(), sum(accuracy.values()) / len(accuracy)]
    assert f"| {name} | {' | '.join(f'{share:.1%}' for share in expected)} |" in (ROOT / document).read_text()


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_has_the_words_and_within_five_percent_the_parameters_of_the_model_it_stands_beside(name):
    baseline, lm = load(name, baselines=True), load("babi-qa1-10")
    assert baseline.tokenizer.get_vocab() == lm.tokenizer.get_vocab()
    assert n_parameters(baseline.model) == pytest.approx(n_parameters(lm.model), rel=0.05)


@pytest.mark.parametrize("document", ["docs/MODELS.md", "docs/LOG.md"])
def test_card_and_documents_tell_the_same_figures_in_noise(document):
    text = (ROOT / document).read_text()
    for length, accuracy in CARDS[IN_NOISE]["accuracy"].items():
        assert f"| {length} | {' | '.join(f'{a:.0%}' for a in accuracy.values())} |" in text


@pytest.mark.slow
@pytest.mark.parametrize(("lm", "task"), ON_FILES, indirect=["lm"])
def test_generated_stories_are_answered_as_the_card_says_and_above_the_floors(lm, task):
    """The card's figure, of the published files, is near the interval measured here; floors are below it.

    The questions of a story are not independent: the interval is too narrow, so there is a margin.
    """
    rng = Random(UNSEEN_SEED)
    stories = [make_story(task, rng) for _ in range(200 if task == "qa4" else 50)]  # qa4 asks one question
    result = score(stories, predict(lm, stories))
    assert result.n >= 200
    assert result.low - 0.02 <= CARDS[lm.name]["accuracy"][task] <= result.high + 0.02
    assert result.low > max(result.majority, result.last_mentioned)


@pytest.mark.slow
@pytest.mark.parametrize(("lm", "task"), ON_FILES, indirect=["lm"])
def test_the_published_files_are_answered_exactly_as_the_card_says(lm, task, babi_dir):
    assert_as_the_card_says(lm, task, babi_dir)


@pytest.mark.slow
@pytest.mark.parametrize(("lm", "task"), OF_BASELINES, indirect=["lm"])
def test_a_baseline_answers_published_files_of_each_form_exactly_as_its_card_says(
    lm, task, babi_dir, monkeypatch
):
    """On one processor a baseline is faster with few stories at a time."""
    monkeypatch.setattr("lm2core.evaluation.stories.BATCH_STORIES", 8)
    assert_as_the_card_says(lm, task, babi_dir)


def assert_as_the_card_says(lm, task, babi_dir):
    stories = read_babi(next(babi_dir.glob(f"{task}_*_train.txt")))
    result = score(stories, predict(lm, stories))
    assert result.accuracy == pytest.approx(CARDS[lm.name]["accuracy"][task], abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize("task", CARDS[IN_NOISE]["accuracy"]["1k"])
def test_stories_in_noise_are_answered_as_the_card_says_and_above_the_floors(task):
    """Other texts than the card's, of 1,000 tokens."""
    lm = load(IN_NOISE)
    background = Background(open_noise(split="test"), lm.tokenizer)
    stories = generated_stories(task, UNSEEN_SEED)
    samples = make_samples(stories, background, task=task, length="1k", n=40, seed=1)
    result = score_long(samples, predict_long(lm, samples))
    assert result.exact.low <= CARDS[IN_NOISE]["accuracy"]["1k"][task] + 0.05
    assert result.exact.high >= CARDS[IN_NOISE]["accuracy"]["1k"][task] - 0.05
    assert result.exact.low > max(result.exact.majority, result.exact.last_mentioned)
