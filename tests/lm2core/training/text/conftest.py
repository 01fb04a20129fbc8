"""Text to train on, a small model, and a run of some steps."""

from dataclasses import replace
from pydoc_data.topics import topics

import pytest

from lm2core.model.config import LM2Config
from lm2core.training.text import train_text
from lm2core.training.text_models import MODELS
from tests.conftest import SIZES
from tests.lm2core.training.text.runs import SHORT


@pytest.fixture(scope="module", autouse=True)
def small_model():
    """The smallest sizes, as a preset's model."""
    MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
    yield
    del MODELS["test"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    """A folder with the first topics of Python's own help."""
    folder = tmp_path_factory.mktemp("text")
    for i, topic in enumerate(sorted(topics)[:20]):
        (folder / f"{i:02}.txt").write_text(topics[topic][:3_000])
    return str(folder)


@pytest.fixture(scope="module")
def straight(text, tmp_path_factory):
    """A run of six steps, with all that it leaves."""
    out = tmp_path_factory.mktemp("run") / "straight"
    model = train_text(replace(SHORT, text=text), out)
    return out, model
