"""Training that begins with a trained model: what both know goes over, the rest is untrained."""

from dataclasses import replace

import pytest
import torch

from lm2core.babi.tasks import TASKS
from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import make_model
from lm2core.model.config import LM2Config
from lm2core.reading.checkpoints import load
from lm2core.text.tokenizer import encode_segments, word_tokenizer
from lm2core.training.recipe import Recipe
from lm2core.training.run_folder import save_model
from lm2core.training.stories import _start, train
from lm2core.training.warm_start import start_model
from tests.conftest import SIZES

OLD = word_tokenizer(babi_words(("qa1", "qa2")))
NEW = word_tokenizer(babi_words(TASKS))
STORY = [["Mary went to the office.", "Mary got the milk there."]]


@pytest.fixture(params=["lm2", "rmt", "llama-full"])
def checkpoint(request, tmp_path):
    torch.manual_seed(0)
    model = make_model(LM2Config(**SIZES | {"vocab_size": len(OLD)}), request.param)
    (tmp_path / "old").mkdir()
    save_model(model, OLD, tmp_path / "old")
    return request.param, str(tmp_path / "old")


def test_known_words_mean_what_they_meant(checkpoint):
    """The same story, whose words have other ids now, gives the old words the old logits."""
    architecture, folder = checkpoint
    old, new = load(folder, baselines=True).model, start_model(folder, NEW, architecture, {}).eval()
    with torch.no_grad():
        before = old(*encode_segments(OLD, STORY)).logits
        after = new(*encode_segments(NEW, STORY)).logits
    ids = [NEW.get_vocab()[token] for token in sorted(OLD.get_vocab(), key=OLD.get_vocab().__getitem__)]
    assert ids != sorted(ids) or ids[-1] != len(ids) - 1  # the words did move
    torch.testing.assert_close(after[..., ids], before)


def test_another_architecture_is_refused(checkpoint):
    architecture, folder = checkpoint
    other = "rmt" if architecture == "lm2" else "lm2"
    with pytest.raises(ValueError, match=f"has the architecture {architecture}, not {other}; give --arch"):
        start_model(folder, NEW, other, {})


def test_a_model_without_segments_goes_on_in_noise_and_is_given_no_slots(tmp_path):
    """Noise is cut into segments for models that have them; nobody asked this one to have any."""
    model = make_model(LM2Config(**SIZES | {"vocab_size": len(OLD)}), "llama-full")
    save_model(model, OLD, tmp_path)
    recipe = Recipe(architecture="llama-full", start_from=str(tmp_path), noise="any", segment_length=7)
    assert not hasattr(_start(recipe, NEW).config, "segment_length")
    with pytest.raises(ValueError, match=r"\(architecture llama-full\) has no memory_slots; omit it"):
        _start(replace(recipe, memory_slots=3), NEW)


@pytest.mark.parametrize(
    "wrong", [{"start_from": "nosuch"}, {"noise": "nosuch.txt"}, {"memory_layers": (9,)}], ids=str
)
def test_a_wrong_option_leaves_the_folder_free_for_the_right_one(tmp_path, wrong):
    with pytest.raises(ValueError, match="nosuch|memory_layers"):
        train(Recipe(tasks=("qa1",), n_steps=1, **wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_begins_where_its_checkpoint_ended(tmp_path):
    """At a learning rate of zero the shipped model is handed on, not a new one."""
    recipe = Recipe(
        tasks=("qa1", "qa6"), n_steps=2, n_stories=2, start_from="babi-qa1-3", learning_rate=0.0, save_every=2
    )
    model = train(recipe, tmp_path / "run")
    shipped = load("babi-qa1-3").model
    for name, weight in shipped.model.layers.state_dict().items():
        assert torch.equal(model.model.layers.state_dict()[name], weight)


def test_sizes_of_a_new_memory_are_the_recipe_s(tmp_path):
    recipe = Recipe(tasks=("qa1",), n_steps=1, n_stories=2, memory_slots=7, memory_layers=(1, 3))
    config = train(recipe, tmp_path / "run").config
    assert (config.memory_slots, config.memory_blocks) == (7, (1, 3))
    baseline = train(replace(recipe, architecture="rmt"), tmp_path / "rmt").config
    assert baseline.memory_slots == 7
