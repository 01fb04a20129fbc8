"""A trace to open, as values and as the bytes of its file; a folder where checkpoints may be opened."""

import shutil

import pytest

from app.loaders import opened
from lm2core.reading.answers import read_stories
from lm2core.reading.checkpoints import SHIPPED
from tests.app.open.opening import MODEL
from tests.handmade import handmade_lm, handmade_stories


@pytest.fixture(scope="module")
def trace():
    return read_stories(handmade_lm(), handmade_stories(3, n_sentences=5))


@pytest.fixture(scope="module")
def data(trace):
    return opened.trace_file(trace)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder where checkpoints may be opened, with one in it."""
    monkeypatch.setenv("LM2_CHECKPOINTS", str(tmp_path / "allowed"))
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    shutil.copytree(SHIPPED / MODEL, tmp_path / "allowed" / "mine")
    return tmp_path / "allowed"
