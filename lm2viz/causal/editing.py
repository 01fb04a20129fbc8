"""What an intervention is: a typed edit of a running memory, and where a run stands that it edits.

Axes: R reference story, S sentence, N slot, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lm2core.errors import UserError
from lm2core.model.config import LM2Config

Hook = tuple[str, Callable[..., Tensor | None]]


@dataclass(slots=True)
class RunContext:
    """Where a run stands, for edits that need to know.

    step : number of the sentence that is being read, from 1
    reference_RSND : unedited banks to take contents from; ``is_own``: those of the run's own stories
    """

    config: LM2Config
    fresh_ND: Tensor
    reference_RSND: Tensor
    is_self_reference: bool
    n_steps: int
    step: int = 1

    def tick(self, value: Tensor, *, hook: Any) -> None:
        """The sentence is over; the last hook of a bank."""
        self.step += 1

    def reference(self) -> Tensor:
        """The reference banks (R,N,D) after this sentence, or after the last where they are shorter."""
        return self.reference_RSND[:, min(self.step, self.reference_RSND.shape[1]) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """The base of all kinds: a kind is its values, its hooks, and what is said of it here.

    kind : its name in JSON
    meaning : what it does, in one line
    needs_reference : whether it takes contents from reference banks
    takes_mean : whether it takes their mean, not the banks of ``donors``
    long_fields : values too long to be described or picked
    """

    kind: ClassVar[str]
    meaning: ClassVar[str]
    needs_reference: ClassVar[bool] = False
    takes_mean: ClassVar[bool] = False
    long_fields: ClassVar[tuple[str, ...]] = ()

    @property
    def propagates(self) -> bool:
        """Whether the edit reaches later sentences."""
        return True

    def hooks(self, context: RunContext) -> list[Hook]:
        """The hook points of a story that are edited, and how."""
        raise NotImplementedError

    def edited_slots(self) -> tuple[int, ...]:
        """The slots it names; none where it acts on all, or not on slots."""
        return getattr(self, "slots", None) or ()

    @property
    def begins(self) -> int:
        """The sentence at which it begins to act, from 1; 0 where it does from the start."""
        step: int | None = getattr(self, "from_step", getattr(self, "step", None))
        return step or 0

    def donors(self, n_stories: int, n_reference: int, *, is_self: bool) -> NDArray[np.int_]:
        """For each story, the number of the reference bank it takes from, (n_stories,).

        is_self : whether the reference is the stories themselves
        """
        raise NotImplementedError

    def on_other_slots(self, to: dict[int, int]) -> Self:
        """The same with every slot replaced by the one it is mapped to: what it is held against."""
        slots = tuple(to[slot] for slot in self.edited_slots())
        return replace(self, **{"slots": slots}) if slots else self  # a field of the kinds that name slots

    def check_fits(self, context: RunContext) -> None:
        """Refuse what this model or these stories do not have: a UserError."""
        n_slots = context.config.memory_slots
        wrong = [slot for slot in self.edited_slots() if slot >= n_slots]
        if wrong:
            raise UserError(f"{self.kind}: no slot {wrong[0]}; this model has 0..{n_slots - 1}")
        if self.begins > context.n_steps:
            raise UserError(
                f"{self.kind}: step {self.begins}, but the longest story has {context.n_steps} sentences"
            )
        self.check_own(context)

    def check_own(self, context: RunContext) -> None:
        """Refuse what only this kind asks of the model or the stories: a UserError."""


def as_list(interventions: Intervention | Sequence[Intervention]) -> list[Intervention]:
    """One intervention, or several, as a list."""
    return [interventions] if isinstance(interventions, Intervention) else list(interventions)


def needs_reference(interventions: Sequence[Intervention]) -> bool:
    """Whether any of them takes contents from reference banks."""
    return any(edit.needs_reference for edit in interventions)


def _is_count(value: Any, lowest: int) -> bool:
    """Whether it is a whole number from ``lowest``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def as_slots(given: Any) -> tuple[int, ...]:
    """A slot number, or a tuple, list, range or array of them, as a tuple; a UserError for anything else."""
    slots: Any = given.tolist() if isinstance(given, np.ndarray | np.integer) else given
    slots = tuple(slots) if isinstance(slots, list | range) else (slots,) if _is_count(slots, 0) else slots
    is_fine = isinstance(slots, tuple) and slots and all(_is_count(slot, 0) for slot in slots)
    if not is_fine or len(set(slots)) < len(slots):
        raise UserError(f"slots {given!r}; give different slot numbers from 0, e.g. 3 or [3, 7]")
    return tuple(slots)


def check_count(name: str, value: Any) -> None:
    """Refuse what is no whole number from 0: a UserError."""
    if not _is_count(value, 0):
        raise UserError(f"{name} {value!r}; give a whole number from 0")


def check_step(step: Any, *, lowest: int = 1, is_needed: bool = False) -> None:
    """Refuse what is no number of a sentence, or None where one is needed: a UserError."""
    if not _is_count(step, lowest) and (is_needed or step is not None):
        every = "" if is_needed else ", None is every one"
        raise UserError(f"step {step!r}; sentences are counted from {lowest}{every}")
