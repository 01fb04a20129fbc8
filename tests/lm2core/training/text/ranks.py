"""What each of two processes does in the tests of several processes."""

import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor

from lm2core.cli.main import main
from lm2core.model.config import LM2Config
from lm2core.training.text import TextTrainer, train_text
from lm2core.training.text_models import MODELS
from lm2core.training.text_recipe import TextRecipe
from lm2core.training.trainer import close_process_group
from tests.conftest import SIZES
from tests.lm2core.training.text.runs import SHORT


def work_as(environment: dict[str, str], work: Callable[..., None], *arguments: object) -> None:
    """Do the work as the process that ``environment`` says."""
    os.environ.update(environment)
    work(*arguments)


def train_with_one_bad_loss(text: str, out: Path) -> None:
    """The second process has an infinite loss in the second step; each leaves the weights it ends with."""
    MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
    real = TextTrainer.compute_loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = real(self, model, inputs, *args, **kwargs)
        is_bad = os.environ["RANK"] == "1" and self.state.global_step == 1
        return loss + math.inf if model.training and is_bad else loss  # its gradient is finite

    TextTrainer.compute_loss = compute_loss
    model = train_text(replace(SHORT, text=text), out)
    torch.save([p.detach() for p in model.parameters()], out / f"rank-{os.environ['RANK']}.pt")
    close_process_group()


def train_and_tell(recipe: TextRecipe, out: Path, resume: bool) -> None:
    """A run whose processes each leave the blocks that they trained on, in order."""
    MODELS["test"] = lambda *, vocab_size: LM2Config(**SIZES | {"vocab_size": vocab_size})
    real, blocks = TextTrainer.training_step, []

    def step(self, model, inputs, *args, **kwargs):
        blocks.extend(inputs["input_ids"].tolist())
        return real(self, model, inputs, *args, **kwargs)

    TextTrainer.training_step = step
    train_text(recipe, out, resume=resume)
    (out / f"blocks-{os.environ['RANK']}.json").write_text(json.dumps(blocks))
    close_process_group()


def run_sharded(arguments: list[str]) -> None:
    """``lm2`` with these arguments and a sharded model.

    accelerate shards a model over GPUs only. Told what kind of run it is, it does so on processors.
    """
    real_init, real_step = AcceleratorState.__init__, TextTrainer.training_step

    def init(self, *args, **kwargs):
        real_init(self, *args, **kwargs)
        self.fsdp_plugin = kwargs.get("fsdp_plugin") or self._shared_state.get("fsdp_plugin")
        if self.fsdp_plugin is not None:
            self.distributed_type = DistributedType.FSDP

    def step(self, model, *args, **kwargs):
        weights = [p.data for p in model.parameters()]
        assert all(isinstance(weight, DTensor) for weight in weights)
        held, whole = sum(w.to_local().nbytes for w in weights), sum(w.numel() * w.itemsize for w in weights)
        file = Path(self.args.output_dir) / f"bytes-{os.environ['RANK']}.json"
        file.write_text(json.dumps({"held": held, "whole": whole}))
        return real_step(self, model, *args, **kwargs)

    AcceleratorState.__init__, TextTrainer.training_step = init, step
    sys.exit(main(arguments))
