"""What a training run shows and leaves behind: a progress bar and metrics as JSON lines."""

import json
import math
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lm2core.files import write_whole


class ProgressLog(TrainerCallback):
    """A bar with loss and accuracies, and one JSON line per log in ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bar: tqdm[Any] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Open the bar; of a resumed run keep the lines up to the step it goes on from."""
        if not state.is_world_process_zero:
            return
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) <= state.global_step]
            write_whole(self._path, "".join(f"{line}\n" for line in kept))
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
        """Write a line and put loss, stage and accuracies beside the bar."""
        if self._bar is None or not logs or "loss" not in logs:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **logs}) + "\n")
        shown = {
            k.removeprefix("accuracy_"): v for k, v in logs.items() if k == "loss" or k.startswith("accuracy")
        }
        self._bar.set_postfix({"stage": int(logs["stage"])} | {k: f"{v:.3f}" for k, v in shown.items()})

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def _step_of(line: str) -> float:
    """The step a line is about; infinity for a line that a kill cut short."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
