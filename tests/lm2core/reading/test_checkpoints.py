"""Opening checkpoints: whole ones open, everything else is refused in one sentence."""

import contextlib
import json
import shutil

import pytest
import torch

from lm2core.babi.vocabulary import babi_words
from lm2core.reading.checkpoints import load
from lm2core.text.tokenizer import word_tokenizer
from tests.conftest import make_model


@pytest.fixture
def folder(tmp_path):
    """A whole checkpoint folder."""
    tokenizer = word_tokenizer(babi_words(("qa1", "qa2", "qa3")))
    make_model(vocab_size=len(tokenizer)).save_pretrained(tmp_path / "c")
    tokenizer.save_pretrained(tmp_path / "c")
    return tmp_path / "c"


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pickle_only(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def test_a_whole_folder_opens(folder):
    lm = load(str(folder))
    assert not lm.model.training
    assert lm.tokenizer.tokenize("Mary went.") == ["mary", "went", "."]


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (shutil.rmtree, "no checkpoint .* or one of: babi-qa1-10"),
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "is not a readable config"),
        (lambda f: (f / "config.json").write_text("[]"), "is not a readable config"),
        (
            lambda f: edit_config(f, model_type="llama"),
            "cannot open checkpoint .*: it is a 'llama' model, not one of lm2, lm2-rmt",
        ),
        (lambda f: edit_config(f, memory_heads=5), "memory_heads=5 must divide"),
        (lambda f: edit_config(f, rms_norm_eps="x"), "cannot open checkpoint .*rms_norm_eps"),
        (
            lambda f: edit_config(f, num_hidden_layers=4),
            "not a complete checkpoint .*missing: model.layers.3",
        ),
        (
            lambda f: edit_config(f, num_hidden_layers=2),
            "not a complete checkpoint .*unexpected: model.layers.2",
        ),
        (
            lambda f: edit_config(f, memory_slots=4),
            r"c: .*of a wrong shape: model.layers.0.mem.slot_key \(5, 12\) instead of",
        ),
        (truncate, "cannot open checkpoint"),
        (pickle_only, "pickled weights are not opened"),
        (lambda f: (f / "tokenizer.json").unlink(), "cannot open checkpoint"),
    ],
)
def test_a_broken_or_foreign_folder_is_refused_in_one_line(folder, harm, text):
    harm(folder)
    with pytest.raises(ValueError, match=text) as error:
        load(str(folder))
    assert "\n" not in str(error.value)


def test_code_in_a_checkpoint_folder_is_never_run(folder, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with contextlib.suppress(ValueError):
        load(str(folder))
    assert not ran.exists()


def test_a_tokenizer_with_more_words_than_the_model_is_refused(folder):
    word_tokenizer([*babi_words(("qa1", "qa2", "qa3")), "zeppelin"]).save_pretrained(folder)
    with pytest.raises(ValueError, match="has id 39, but its model only 0..38"):
        load(str(folder))


@pytest.mark.parametrize("name", ["nope", "../etc", "/no/such/folder", ""])
def test_a_name_that_is_none_is_refused_with_the_shipped_ones(name):
    with pytest.raises(ValueError, match="babi-qa1-3|has no config.json"):
        load(name)
