"""What the memory does while it is trained, measured every ``MEASURE_EVERY`` steps in the step itself.

Memories fail in ways that the loss does not tell apart: slots that are never written, gates that shut. Hooks
of one training step record sums, which stay on the device until the step is over, so nothing runs twice.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.memory_warnings import NEVER_WRITTEN_IN, PREFIX

MEASURE_EVERY = 50  # optimizer steps; its cost is docs/LOG.md's, 30 November 2026
WRITTEN = 0.01  # a slot is written by a segment if its input gate, mean over the width, is above this
SATURATED = 0.01  # a gate value is saturated if it is that close to 0 or 1


class MemoryMetrics:
    """The metrics of one model's training.

    Of a model without LM2's memory there are none. In a run of several processes each measures its own batch.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model if isinstance(model, LM2ForCausalLM) else None
        self._sums: dict[str, Tensor] = {}
        self._last_written: dict[int, int] = {}  # the step at which each slot was written last
        self._first_step: int | None = None
        self._fresh: dict[str, float] = {}

    def is_due(self, step: int) -> bool:
        """Whether the optimizer step with this number, from 1, is measured."""
        return self._model is not None and step % MEASURE_EVERY == 0

    @contextmanager
    def measuring(self, step: int) -> Iterator[None]:
        """Record the forward passes inside the block, which belong to this step."""
        model, before = self._model, {}
        assert model is not None
        self._sums.clear()

        def gate_in(value_BND: Tensor, *, hook: Any) -> None:
            self._add_gate("in", value_BND)
            strength_BN = value_BND.detach().float().mean(-1)
            self._add("strength", strength_BN.sum(0))
            self._add("n_writes", (strength_BN > WRITTEN).sum(0).float())
            before["idle"] = strength_BN <= WRITTEN

        def bank_post(value_BND: Tensor, *, hook: Any) -> None:
            change_BN = (value_BND - before["bank"]).detach().float().norm(dim=-1)
            size_BN = before["bank"].detach().float().norm(dim=-1).clamp_min(1e-6)
            self._add("drift", (change_BN / size_BN * before["idle"]).sum())
            self._add("n_idle", before["idle"].sum().float())

        def bank(value_BND: Tensor, *, hook: Any) -> None:
            self._add("bank", torch.stack([value_BND.detach().float().norm(dim=-1).mean(), _one(value_BND)]))

        hooks: list[tuple[str, Callable[..., None]]] = [("hook_bank", bank)]
        for block in model.config.memory_blocks:
            at = f"blocks.{block}.mem.hook_"
            hooks += [
                (f"{at}bank_pre", lambda value, *, hook: before.update(bank=value)),
                (f"{at}gate_in", gate_in),
                (f"{at}gate_forget", lambda value, *, hook: self._add_gate("forget", value)),
                (f"{at}gate_out", lambda value, *, hook: self._add_gate("out", value)),
                (f"{at}bank_post", bank_post),
            ]
        with torch.compiler.set_stance("force_eager"), model.hooks(fwd_hooks=hooks):
            yield
        self._read(step)

    def measure_gradient(self) -> None:
        """Add the memory's share of the squared gradient norm, between backward and optimizer."""
        assert self._model is not None
        of_memory, total = [], []
        for name, weight in self._model.named_parameters():
            if weight.grad is not None:
                square = weight.grad.detach().float().square().sum()
                total.append(square)
                if ".mem." in name or name.startswith("mem."):
                    of_memory.append(square)
        if total:
            whole = float(sum(total))
            self._fresh["gradient_share"] = float(sum(of_memory)) / whole if whole > 0 else math.nan

    def take(self) -> dict[str, float]:
        """What was measured since the last call, its names with ``PREFIX``; mostly empty."""
        taken = {f"{PREFIX}{name}": value for name, value in self._fresh.items()}
        self._fresh = {}
        return taken

    def _add(self, name: str, value: Tensor) -> None:
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def _add_gate(self, name: str, gate: Tensor) -> None:
        gate = gate.detach().float()
        outside = ((gate < SATURATED) | (gate > 1 - SATURATED)).float().mean()
        self._add(f"gate_{name}", torch.stack([gate.mean(), outside, _one(gate)]))

    def _read(self, step: int) -> None:
        """Turn the sums into numbers: the only time the device is waited for."""
        sums: dict[str, Any] = {name: value.tolist() for name, value in self._sums.items()}
        self._first_step = step if self._first_step is None else self._first_step
        self._last_written |= {slot: step for slot, n in enumerate(sums["n_writes"]) if n}
        self._fresh = {
            "n_slots": float(len(sums["strength"])),
            "slots_in_use": effective_number(sums["strength"]),
            "bank_norm": sums["bank"][0] / sums["bank"][1],
            "drift_of_unwritten": sums["drift"] / sums["n_idle"] if sums["n_idle"] else math.nan,
        }
        for name in ("in", "forget", "out"):
            mean, outside, n = sums[f"gate_{name}"]
            self._fresh |= {f"gate_{name}": mean / n, f"gate_{name}_saturated": outside / n}
        if step - self._first_step >= NEVER_WRITTEN_IN - MEASURE_EVERY:
            recent = [s for s, last in self._last_written.items() if step - last < NEVER_WRITTEN_IN]
            self._fresh["n_never_written"] = float(len(sums["strength"]) - len(recent))


def effective_number(weights: list[float]) -> float:
    """How many of equal weight would be as spread: exp of the entropy of the shares; 0 if all are 0."""
    total = sum(weights)
    shares = [weight / total for weight in weights if weight > 0] if total > 0 else []
    return math.exp(-sum(share * math.log(share) for share in shares)) if shares else 0.0


def _one(like: Tensor) -> Tensor:
    return torch.ones((), device=like.device)
