"""A saved folder opens with transformers' own classes, in a process that has not imported lm2core."""

import json
import subprocess
import sys

import torch

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from tests.conftest import ROOT, B, T, make_ids, make_model

OPEN = """
import sys
from transformers import AutoConfig, AutoModelForCausalLM
assert "lm2core" not in sys.modules
{before}
model = AutoModelForCausalLM.from_pretrained({folder!r}, trust_remote_code=True)
import torch
print(type(model).__name__, model(torch.tensor({ids})).logits.double().sum().item())
model.save_pretrained({again!r})
"""


def run(tmp_path, before=""):
    """Open the saved folder in a new process; its output."""
    code = OPEN.format(
        before=before,
        folder=str(tmp_path / "saved"),
        again=str(tmp_path / "again"),
        ids=make_ids(B, T).tolist(),
    )
    environment = {
        "PATH": "",
        "HF_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )


def test_a_saved_folder_opens_where_lm2core_is_installed_but_not_imported(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "saved")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    name, total = done.stdout.split()
    assert name == "LM2ForCausalLM"
    with torch.no_grad():
        assert abs(float(total) - model(make_ids(B, T)).logits.double().sum().item()) < 1e-4
    for folder in ("saved", "again"):  # opened by transformers and saved once more
        names = {file.name for file in (tmp_path / folder).iterdir()}
        assert names == {"config.json", "generation_config.json", "model.safetensors", "open_lm2.py"}
        LM2ForCausalLM.from_pretrained(tmp_path / folder)


def test_where_lm2core_is_missing_the_folder_says_what_to_install(tmp_path):
    make_model().save_pretrained(tmp_path / "saved")
    missing = "sys.modules['lm2core'] = None"
    done = run(tmp_path, before=missing)
    assert done.returncode == 1
    assert "ImportError: this folder holds an LM2, which needs the Python package lm2" in done.stderr


def test_keys_of_other_tools_in_a_stored_config_are_kept(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"license_of_weights": "mine"}))
    config = LM2Config.from_pretrained(tmp_path)
    assert config.license_of_weights == "mine"
    assert config.auto_map["AutoModelForCausalLM"] == "open_lm2.LM2ForCausalLM"
    assert LM2ForCausalLM.from_pretrained(tmp_path).config.license_of_weights == "mine"
