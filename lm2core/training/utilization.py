"""The share of a GPU's matrix peak that training uses, logged as ``mfu`` where the peak is known."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Utilization(TrainerCallback):
    """Adds ``mfu`` to each log of a step: the model's FLOP since the last one, over what the chips could do.

    Work that is done twice (checkpointing) does not count; time for evaluation and saving does not either.
    """

    def __init__(self, *, flops_per_token: float, flops_per_s: float) -> None:
        self._flops_per_token = flops_per_token  # of forward and backward pass
        self._flops_per_s = flops_per_s  # of one process's chip
        self._start: tuple[float, int] | None = None  # time, and tokens seen by then

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, if it does not run."""
        if self._start is None:
            self._start = time.perf_counter(), int(state.num_input_tokens_seen)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Add the share, in [0, 1]; the log has waited for the device, so the time is that of its work."""
        if self._start is None or logs is None or "loss" not in logs:
            return
        start_s, seen = self._start
        flops = self._flops_per_token * (int(state.num_input_tokens_seen) - seen)
        could = self._flops_per_s * args.world_size * (time.perf_counter() - start_s)
        logs["mfu"] = flops / could
        self._start = None

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start anew after the evaluation."""
        self._start = None

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start anew after the checkpoint."""
        self._start = None
