"""A training step waits for nothing: it runs on the meta device, which has shapes but no values."""

import sys
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from transformers import TrainingArguments

from lm2core.training.text import TextTrainer, train_text
from tests.lm2core.training.text.runs import SHORT

META = torch.device("meta")


class LogReachedError(Exception):
    """The first log, which is the first to read a value."""


@pytest.fixture
def on_meta(monkeypatch):
    """Models, batches and optimizers of training are there."""
    monkeypatch.setattr(TrainingArguments, "device", property(lambda self: self._setup_devices and META))
    monkeypatch.setattr(Accelerator, "device", property(lambda _: META))
    # torch has the kernel of the fused optimizer there, but does not list the device.
    optimizers = sys.modules[torch.optim.Optimizer.__module__]
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: ["meta"])


@pytest.fixture
def trainers(monkeypatch):
    """The trainers that came to their first log, where they stop."""
    stopped: list[TextTrainer] = []
    go_on = TextTrainer._maybe_log_save_evaluate

    def stop_at_log(self, *args, **kwargs):
        if self.control.should_log:
            stopped.append(self)
            raise LogReachedError
        go_on(self, *args, **kwargs)

    monkeypatch.setattr(TextTrainer, "_maybe_log_save_evaluate", stop_at_log)
    return stopped


@pytest.mark.parametrize(
    "changes", [{}, {"accumulate": 2}, {"backprop_segments": 2}, {"checkpointing": True}]
)
def test_no_value_is_read_before_the_first_log(changes, on_meta, trainers, text, tmp_path):
    recipe = replace(SHORT, text=text, n_steps=9, log_every=3, save_every=99, **changes)
    with pytest.raises(LogReachedError):
        train_text(recipe, tmp_path / "run")
    (trainer,) = trainers
    assert trainer.state.global_step == 3
    assert {p.device for p in trainer.model.parameters()} == {META}
    assert len(trainer.optimizer.state) == sum(p.requires_grad for p in trainer.model.parameters())
    blocks = 3 * SHORT.batch_size * recipe.accumulate
    assert (
        trainer.state.num_input_tokens_seen == blocks * SHORT.n_segments * trainer.model.config.segment_length
    )
