"""The kinds of interventions that act while a sentence is read: gates that stand at one value.

``step`` counts sentences from 1: the sentence that is read meanwhile; None is every one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from lm2core.errors import UserError
from lm2viz.causal.editing import Hook, Intervention, RunContext, as_slots, check_count, check_step

GATES = {"in": "hook_gate_in", "forget": "hook_gate_forget", "out": "hook_gate_out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Intervention):
    """The slots keep what they hold after sentence ``from_step``; 0: what a fresh bank holds."""

    slots: tuple[int, ...] = field(kw_only=False)
    from_step: int
    kind: ClassVar[str] = "freeze"
    meaning: ClassVar[str] = "the slots keep what they hold after a sentence"

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", as_slots(self.slots))
        check_step(self.from_step, lowest=0, is_needed=True)

    def hooks(self, context: RunContext) -> list[Hook]:
        """In every block all of the old content is kept and nothing is written."""
        return [
            (
                f"blocks.{block}.mem.{point}",
                _filling(value, self.slots, lambda: context.step > self.from_step),
            )
            for block in context.config.memory_blocks
            for point, value in (("hook_gate_forget", 1.0), ("hook_write", 0.0))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampGate(Intervention):
    """A gate stands at ``value`` in [0, 1], where 1 is open, or keeps.

    gate : "in" or "forget", of sentences; or "out", of questions, which write nothing: it does not propagate
    block : None is every block with memory
    slots : None is every slot; the output gate has none
    step : the sentence that is read meanwhile; None is every one; a question has none
    """

    gate: str
    value: float
    block: int | None = None
    slots: tuple[int, ...] | None = None
    step: int | None = None
    kind: ClassVar[str] = "clamp_gate"
    meaning: ClassVar[str] = "a gate stands at one value"

    def __post_init__(self) -> None:
        if not isinstance(self.gate, str) or self.gate not in GATES:
            raise UserError(f"no gate {self.gate!r}; known: {', '.join(GATES)}")
        if self.block is not None:
            check_count("block", self.block)
        if (
            isinstance(self.value, bool)
            or not isinstance(self.value, (int, float))
            or not 0 <= self.value <= 1
        ):
            raise UserError(f"value {self.value!r} of a gate; give a number in [0, 1]")
        if self.gate == "out" and (self.slots is not None or self.step is not None):
            raise UserError("the output gate acts on a question's words, not on slots or steps; omit them")
        if self.slots is not None:
            object.__setattr__(self, "slots", as_slots(self.slots))
        check_step(self.step)

    def check_own(self, context: RunContext) -> None:
        """The block must have a memory."""
        blocks = context.config.memory_blocks
        if self.block not in (None, *blocks):
            raise UserError(f"clamp_gate: no memory in block {self.block}; it is in {blocks}")

    @property
    def propagates(self) -> bool:
        """Whether the edit reaches later sentences."""
        return self.gate != "out"

    def hooks(self, context: RunContext) -> list[Hook]:
        """The gate in the chosen blocks."""
        blocks = context.config.memory_blocks if self.block is None else [self.block]
        fill = _filling(self.value, self.slots, lambda: self.step in (None, context.step))
        return [(f"blocks.{block}.mem.{GATES[self.gate]}", fill) for block in blocks]


def _filling(value: float, slots: tuple[int, ...] | None, is_on: Callable[[], bool]) -> Callable[..., Any]:
    """A hook that sets slots (axis 1; None: everything) to ``value`` while ``is_on``."""

    def fill(old: Tensor, *, hook: Any) -> Tensor | None:
        if not is_on():
            return None
        new = old.clone()
        new[:, slice(None) if slots is None else list(slots)] = value
        return new

    return fill
