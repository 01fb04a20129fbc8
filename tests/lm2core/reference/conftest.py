"""Outputs recorded from the public code, where there are any, and a checkpoint to convert."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import shared_folder
from tests.lm2core.reference.small import TOLD, make_model, public_weights


@pytest.fixture(scope="module")
def golden_dir() -> Path:
    return shared_folder("golden", "the outputs recorded from the public code")


@pytest.fixture
def given(tmp_path):
    """Write a checkpoint and its sizes as they are or changed; returns the arguments of the conversion."""

    def write(weights=None, *, file="ckpt.safetensors", sizes=None, **changed):
        weights = public_weights(make_model()) if weights is None else weights
        if file.endswith(".safetensors"):
            save_file(weights, tmp_path / file)
        else:
            torch.save(weights, tmp_path / file)
        expected = TOLD if sizes is None else sizes
        (tmp_path / "sizes.json").write_text(json.dumps(expected | changed))
        return tmp_path / file, tmp_path / "sizes.json", tmp_path / "out"

    return write
