"""The output of a training run: a progress bar, and metrics as JSON lines."""

import json
import math
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lm2core.files import write_atomically
from lm2core.training.memory_warnings import PREFIX, memory_warnings

SHOWN = {"stage", "loss", "eval_loss", "eval_accuracy", "n_skipped"}  # beside the bar
NOT_LOGGED = {"epoch", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}


class ProgressLog(TrainerCallback):
    """A bar with loss and accuracies, and one JSON line per log in ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bar: tqdm[Any] | None = None
        self._shown: dict[str, str] = {}
        self._warned: set[str] = set()  # what the last metrics of the memory warned of

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Open the bar; in a resumed run, drop the lines after the step it resumes from."""
        if not state.is_world_process_zero:
            return
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) <= state.global_step]
            write_atomically(self._path, "".join(f"{line}\n" for line in kept))
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, dynamic_ncols=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write a line for a training step or an evaluation, and show its main numbers beside the bar."""
        if self._bar is None or not logs or not {"loss", "eval_loss"} & set(logs):
            return
        line = {"step": state.global_step} | {k: v for k, v in logs.items() if k not in NOT_LOGGED}
        finite = {k: v if math.isfinite(v) else None for k, v in line.items()}  # JSON has no NaN
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite) + "\n")
        warnings = memory_warnings(logs)
        for warning in warnings:
            if warning not in self._warned:
                self._bar.write(f"step {state.global_step}: {warning}")
        if any(name.startswith(PREFIX) for name in logs):
            self._warned = set(warnings)
        self._shown |= {
            k.removeprefix("accuracy_"): f"{v:.3f}" if isinstance(v, float) else str(v)
            for k, v in logs.items()
            if k in SHOWN or k.startswith("accuracy")
        }
        self._bar.set_postfix(self._shown)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The run came to its end."""
        self.close()

    def close(self) -> None:
        """Close the bar, also of a run that was cut short: what is said then stands below it."""
        if self._bar is not None:
            self._bar.close()


class LogLastStep(TrainerCallback):
    """Logs the last step, and evaluates it if there is evaluation data, whatever its number."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Request logging, and an evaluation if there are any."""
        if state.global_step >= state.max_steps:
            control.should_log = True
            control.should_evaluate = args.eval_strategy != "no"


def last_logged(path: Path) -> dict[str, Any]:
    """The last logged value of every metric in ``path``; None if it was not finite."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {name: value for line in lines for name, value in line.items()}


def _step_of(line: str) -> float:
    """The step of a line; infinity for a line that an interruption cut short."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
