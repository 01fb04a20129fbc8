"""Several processes: one training, over gloo."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from lm2core.cli.main import main
from lm2core.reading.checkpoints import load
from tests.conftest import ROOT
from tests.lm2core.training.text.runs import lines, same_weights


def torchrun(*arguments: str, **settings: str) -> None:
    """Two processes on this machine's processor, with these environment variables."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | settings
    done = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_doubled_batch(text, tmp_path):
    """The command itself, over gloo: the same blocks, the same losses, the same weights."""
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3", "--backprop-segments", "2"]
    torchrun("-m", "lm2core", *common, "--out", str(tmp_path / "two"), "--batch", "1", "--accumulate", "2")
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "4"]) == 0
    one, two = (tmp_path / name for name in ("one", "two"))
    assert json.loads((two / "training.json").read_text())["n_processes"] == 2
    for name in ("loss", "eval_loss", "num_input_tokens_seen"):
        assert lines(two, name) == pytest.approx(lines(one, name), rel=1e-5)
    a, b = (load_file(run / "model.safetensors") for run in (one, two))
    assert all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-5) for name in a)


IN_ONE_PROCESS = """
import math, os, sys
from dataclasses import replace
import torch
from lm2core.training.trainer import close_process_group
from lm2core.model.config import LM2Config
from lm2core.training.text_models import MODELS
from lm2core.training.text import TextTrainer, train_text
from tests.conftest import SIZES
from tests.lm2core.training.text.runs import SHORT

MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
real = TextTrainer.compute_loss

def compute_loss(self, model, inputs, *args, **kwargs):
    loss = real(self, model, inputs, *args, **kwargs)
    is_bad = os.environ["RANK"] == "1" and self.state.global_step == 1
    return loss + math.inf if model.training and is_bad else loss  # its gradient is finite

TextTrainer.compute_loss = compute_loss
model = train_text(replace(SHORT, text=sys.argv[1]), sys.argv[2])
torch.save([p.detach() for p in model.parameters()], f"{sys.argv[2]}/rank-{os.environ['RANK']}.pt")
close_process_group()
"""


@pytest.mark.slow
def test_processes_skip_a_step_together(text, tmp_path):
    (tmp_path / "script.py").write_text(IN_ONE_PROCESS)
    torchrun(str(tmp_path / "script.py"), text, str(tmp_path / "run"))
    assert lines(tmp_path / "run", "n_skipped") == [0, 1, 1, 1, 1, 1]
    first, second = (torch.load(tmp_path / "run" / f"rank-{i}.pt", weights_only=True) for i in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# accelerate shards a model over GPUs only. Told what kind of run it is, it does so on processors.
SHARDED_ON_A_PROCESSOR = """
import sys
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor
from lm2core.cli.main import main
from lm2core.training.text import TextTrainer

real_init, real_step = AcceleratorState.__init__, TextTrainer.training_step

def init(self, *args, **kwargs):
    real_init(self, *args, **kwargs)
    self.fsdp_plugin = kwargs.get("fsdp_plugin") or self._shared_state.get("fsdp_plugin")
    if self.fsdp_plugin is not None:
        self.distributed_type = DistributedType.FSDP

def step(self, model, *args, **kwargs):
    assert all(isinstance(p.data, DTensor) for p in model.parameters())
    return real_step(self, model, *args, **kwargs)

AcceleratorState.__init__, TextTrainer.training_step = init, step
sys.exit(main())
"""


FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaMLP,LM2Attention",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


@pytest.mark.slow
def test_a_model_sharded_over_processes_is_trained_and_saved_as_a_whole_one(text, tmp_path):
    """FSDP, over gloo: what is left opens as a checkpoint, with the weights of one process."""
    (tmp_path / "script.py").write_text(SHARDED_ON_A_PROCESSOR)
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3"]
    torchrun(str(tmp_path / "script.py"), *common, "--out", str(tmp_path / "two"), "--batch", "1", **FSDP)
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "2"]) == 0
    one, two = (load(str(tmp_path / name)).model for name in ("one", "two"))
    assert same_weights(one, two, rtol=1e-4, atol=1e-5)
