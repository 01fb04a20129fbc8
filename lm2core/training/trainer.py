"""What training on stories and on text have in common: a Trainer that skips non-finite steps, and ``run``.

transformers' Trainer does the rest: several processes, bf16, accumulation, checkpointing, saving, resuming.
"""

import json
import math
import os
from contextlib import closing, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import PreTrainedTokenizerBase, PrinterCallback, Trainer

from lm2core.baselines.architectures import Model
from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.reading.backbones import cache_folder
from lm2core.training.memory_metrics import MemoryMetrics
from lm2core.training.progress import LogLastStep, ProgressLog
from lm2core.training.recipe import RunRecipe
from lm2core.training.run_folder import SKIPS_FILE, newest_checkpoint, report_full_disk, save_model

MAX_SKIPPED_IN_A_ROW = 10
REPORTS = ("tensorboard", "wandb")
COMPILED_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"  # torch's own: where it keeps what it has compiled


@dataclass(frozen=True, slots=True)
class _Step:
    """What came of one optimizer step, as values on the device until they are read.

    is_skipped : 1.0 if the step changed no weight, else 0.0
    """

    number: int
    loss: Tensor
    norm: Tensor
    is_skipped: Tensor


class RunTrainer(Trainer):
    """A Trainer whose weights never become NaN, and whose steps do not wait for the device.

    A step whose loss or gradient norm is not finite in any process changes no weight and no optimizer state.
    It still counts as a step for data and learning rate. Which steps these were is read when they are logged
    or saved; ``MAX_SKIPPED_IN_A_ROW`` of them then stop the training.

    n_skipped : skipped steps since the start of the run, up to the last log
    n_skipped_in_a_row : skipped steps since the last good one, up to the last log
    """

    last_file = SKIPS_FILE  # the file of a checkpoint that is written last

    def __init__(self, *, tokenizer: PreTrainedTokenizerBase, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.n_skipped = self.n_skipped_in_a_row = 0
        self._step_loss: Tensor | float = 0.0  # sum over the parts of this step so far
        self._unread: list[_Step] = []
        self._losses: list[float] = []  # of the good steps since the last log
        self._memory = MemoryMetrics(self.accelerator.unwrap_model(self.model))

    def training_step(self, model: torch.nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        """Forward and backward pass of one part of a step; adds up its loss."""
        step = self.state.global_step + 1
        with self._memory.measuring(step) if self._memory.is_due(step) else nullcontext():
            loss = super().training_step(model, *args, **kwargs)
        self._step_loss = self._step_loss + loss.detach()
        return loss.nan_to_num(0.0, 0.0, 0.0)  # transformers' own sum, which would stay NaN

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: Any = None) -> Any:
        """Called between the backward pass and the optimizer: the place to skip a step."""
        norm = super()._get_grad_norm(model, grad_norm)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        loss = torch.as_tensor(self._step_loss, device=norm.device)
        is_good = loss.isfinite() & norm.isfinite()
        is_skipped = (self.accelerator.reduce((~is_good).float()) > 0).float()
        # The fused optimizer does nothing at all where this is 1: no momentum, no decay, no step count.
        self.optimizer.optimizer.found_inf = is_skipped
        if self._memory.is_due(self.state.global_step + 1):
            self._memory.measure_gradient()
        self._unread.append(_Step(self.state.global_step + 1, loss, norm, is_skipped))
        self._step_loss = 0.0
        return norm

    def _read_steps(self) -> None:
        """Wait for the steps since the last time, and count those that were skipped."""
        for step in self._unread:
            if step.is_skipped:
                self.n_skipped += 1
                self.n_skipped_in_a_row += 1
                self._stop_after_too_many(step)
            else:
                self.n_skipped_in_a_row = 0
                self._losses.append(float(step.loss))
        self._unread.clear()

    def _stop_after_too_many(self, step: _Step) -> None:
        if self.n_skipped_in_a_row < MAX_SKIPPED_IN_A_ROW:
            return
        newest = newest_checkpoint(Path(self.args.output_dir), self.last_file)
        newest_good = f"the newest good checkpoint is {newest}" if newest else "there is no checkpoint yet"
        raise UserError(
            f"training stopped at step {step.number}: {MAX_SKIPPED_IN_A_ROW} steps in a row "
            f"were not finite (loss {float(step.loss):.3g}, gradient norm {float(step.norm):.3g}); "
            f"{newest_good}; train in another folder with a lower --learning-rate, or try --resume"
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the mean loss of the steps not skipped (NaN if all were), and how many were skipped."""
        if "loss" in logs:
            self._read_steps()
            mean = sum(self._losses) / len(self._losses) if self._losses else math.nan
            logs["loss"] = float(self.accelerator.reduce(torch.tensor(mean, device=self.args.device), "mean"))
            logs["n_skipped"] = self.n_skipped
            logs |= self._memory.take()
            self._losses.clear()
        super().log(logs, start_time)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        self._read_steps()  # in every process, so that they would stop together
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            self.save_last(folder)

    def save_last(self, folder: Path) -> None:
        """Add to a checkpoint what the Trainer does not save; ``last_file`` last.

        With the tokenizer, a checkpoint can be loaded like the trained model.
        """
        self.tokenizer.save_pretrained(folder)
        counts = {"n_skipped": self.n_skipped, "n_skipped_in_a_row": self.n_skipped_in_a_row}
        write_atomically(folder / SKIPS_FILE, json.dumps(counts))

    def restore(self, folder: Path) -> None:
        """Restore what ``save_last`` wrote."""
        if (folder / SKIPS_FILE).is_file():
            counts = json.loads((folder / SKIPS_FILE).read_text(encoding="utf-8"))
            self.n_skipped, self.n_skipped_in_a_row = counts["n_skipped"], counts["n_skipped_in_a_row"]


def check_devices() -> None:
    """Refuse several GPUs in one process, with the command, and a process without a GPU: a UserError."""
    n_gpus = torch.cuda.device_count()
    if n_gpus > 1 and "LOCAL_RANK" not in os.environ:
        raise UserError(
            "several GPUs are visible; start one process per GPU: accelerate launch -m lm2core train ..."
        )
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    if 0 < n_gpus <= rank:
        raise UserError(
            f"process {rank} (from 0) of this machine has no GPU, {n_gpus} can be used; start one process "
            "per GPU, or hide them to train on the processor: CUDA_VISIBLE_DEVICES="
        )


def check_reports(names: tuple[str, ...]) -> None:
    """Refuse, with a UserError, tools for metrics that are not known or not installed."""
    for name in names:
        if name not in REPORTS:
            raise UserError(f"unknown --report-to {name}; choose from: {', '.join(REPORTS)}")
        if find_spec(name) is None:
            raise UserError(f"--report-to {name} needs the package: pip install {name}")


def compile_for_training(model: Model) -> None:
    """Compile a model's segments. What is compiled stays in the user's cache, and later runs begin with it.

    torch itself would keep it where temporary files are, which many systems empty.
    """
    os.environ.setdefault(COMPILED_VARIABLE, str(cache_folder() / "compiled"))
    model.compile_segments()


def close_process_group() -> None:
    """End a command of several processes: they wait for each other, or one could abort the others."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def common_arguments(recipe: RunRecipe, out: Path) -> dict[str, Any]:
    """TrainingArguments that training on stories and on text share."""
    return {
        "output_dir": str(out),
        "max_steps": recipe.n_steps,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": min(recipe.n_warmup_steps, recipe.n_steps // 2),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",  # can skip a step by a value on the device
        "seed": recipe.seed,
        "logging_steps": recipe.log_every,
        "save_steps": recipe.save_every,
        "save_total_limit": None if recipe.keep_all else 2,  # one is complete while the other is written
        "remove_unused_columns": False,
        "logging_nan_inf_filter": False,  # would read every loss; RunTrainer filters what it logs
        "disable_tqdm": True,  # ProgressLog draws the bar
        "report_to": list(recipe.report_to) or "none",
        "use_cpu": not torch.cuda.is_available(),
    }


def run(trainer: RunTrainer, out: Path, checkpoint: Path | None) -> None:
    """Train, from ``checkpoint`` if there is one, and write model, tokenizer and metrics to ``out``."""
    trainer.add_callback(LogLastStep())
    progress = ProgressLog(out / "metrics.jsonl")
    trainer.add_callback(progress)
    trainer.remove_callback(PrinterCallback)  # ProgressLog shows the same, beside a bar
    if checkpoint is not None:
        trainer.restore(checkpoint)
    with closing(progress), report_full_disk(out):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        weights = trainer.accelerator.get_state_dict(trainer.model)  # gathered, if the model is sharded
        if trainer.is_world_process_zero():
            model = trainer.accelerator.unwrap_model(trainer.model)
            save_model(model, trainer.tokenizer, out, weights=weights)
