"""The kinds of interventions: typed, composable, replayable from JSON.

``step`` counts sentences from 1 and means "after this sentence"; None is after every one. Edits of a list are
applied in its order. A new kind is a class and its place in ``KINDS``.

Axes: B story, R reference story, S sentence, N slot, n slots that are edited, D width.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.errors import UserError
from lm2viz.causal.blocked_reads import BlockRead
from lm2viz.causal.clamped_gates import ClampGate, Freeze
from lm2viz.causal.editing import Hook, Intervention, RunContext, as_slots, check_count, check_step


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSlots(Intervention):
    """An edit of slots of the bank after one sentence or every one; it reaches later sentences."""

    slots: tuple[int, ...] = field(kw_only=False)
    step: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", as_slots(self.slots))
        check_step(self.step)

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """What the slots hold afterwards, (B,n,D) or a shape that fills it."""
        raise NotImplementedError

    def hooks(self, context: RunContext) -> list[Hook]:
        """The hook points of a story that are edited, and how."""

        def edit(bank_BND: Tensor, *, hook: Any) -> Tensor | None:
            if self.step not in (None, context.step):
                return None
            edited_BND, chosen = bank_BND.clone(), list(self.slots)
            edited_BND[:, chosen] = self.content(edited_BND[:, chosen], context)
            return edited_BND

        return [("hook_bank", edit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero(OnSlots):
    """The slots hold zeros."""

    kind: ClassVar[str] = "zero"
    meaning: ClassVar[str] = "the slots hold zeros"

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """Zeros."""
        return torch.zeros_like(slots_BnD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(OnSlots):
    """The slots hold what they hold on average over the reference stories, at this step."""

    kind: ClassVar[str] = "mean"
    meaning: ClassVar[str] = "the slots hold what they hold on average over other stories"
    needs_reference: ClassVar[bool] = True
    takes_mean: ClassVar[bool] = True

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """The mean of the reference."""
        return context.reference()[:, list(self.slots)].mean(dim=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resample(OnSlots):
    """The slots hold what they hold in a story drawn from the reference, another one for each story."""

    seed: int = 0
    kind: ClassVar[str] = "resample"
    meaning: ClassVar[str] = "the slots hold what they hold in a story drawn from others"
    needs_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        OnSlots.__post_init__(self)
        check_count("seed", self.seed)

    def check_own(self, context: RunContext) -> None:
        """A story that draws from its own kind needs another one."""
        if context.is_self_reference and len(context.reference_RSND) < 2:
            raise UserError("resample: there is no other story to draw from; give at least two")

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """The content of the drawn stories; never the story's own, and the same story at every step."""
        n_reference = len(context.reference_RSND)
        donors = self.donors(len(slots_BnD), n_reference, is_self=context.is_self_reference)
        return context.reference()[torch.as_tensor(donors)][:, list(self.slots)]

    def donors(self, n_stories: int, n_reference: int, *, is_self: bool) -> NDArray[np.int_]:
        """The story that each story takes from, (n_stories,); among its own kind never itself."""
        rng = np.random.default_rng(self.seed)
        if is_self:
            return (np.arange(n_stories) + rng.integers(1, n_stories, size=n_stories)) % n_stories
        return rng.integers(n_reference, size=n_stories)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(OnSlots):
    """The slots hold what they hold in reference story number ``other``."""

    other: int
    kind: ClassVar[str] = "swap"
    meaning: ClassVar[str] = "the slots hold what they hold in one other story"
    needs_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        OnSlots.__post_init__(self)
        check_count("other", self.other)

    def check_own(self, context: RunContext) -> None:
        """The other story must be there."""
        if not 0 <= self.other < len(context.reference_RSND):
            raise UserError(f"swap: no story {self.other}; there are 0..{len(context.reference_RSND) - 1}")

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """The content of the other story."""
        return context.reference()[self.other, list(self.slots)]

    def donors(self, n_stories: int, n_reference: int, *, is_self: bool) -> NDArray[np.int_]:
        """The other story, for every story."""
        return np.full(n_stories, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase(OnSlots):
    """Directions are taken out of the slots: ``x - (x - centre) readers^T directions``; see erase.py.

    directions, readers : n_directions rows of the width
    centre : what stays where it is, of the width
    """

    directions: tuple[tuple[float, ...], ...]
    readers: tuple[tuple[float, ...], ...]
    centre: tuple[float, ...]
    kind: ClassVar[str] = "erase"
    meaning: ClassVar[str] = "directions are taken out of the slots"
    long_fields: ClassVar[tuple[str, ...]] = ("directions", "readers", "centre")

    def __post_init__(self) -> None:
        OnSlots.__post_init__(self)
        for name, n_axes in (("directions", 2), ("readers", 2), ("centre", 1)):
            try:
                array = np.asarray(getattr(self, name), dtype=float)
            except (TypeError, ValueError):
                array = np.array(np.nan)
            if array.ndim != n_axes or not np.isfinite(array).all():
                raise UserError(f"erase: {name} must be finite numbers with {n_axes} axes; see erase.py")

    def check_own(self, context: RunContext) -> None:
        """Directions must be of the model's width."""
        width = context.config.bank_width
        widths = {len(row) for row in (*self.directions, *self.readers, self.centre)}
        if widths != {width} or len(self.directions) != len(self.readers):
            raise UserError(f"erase: directions and readers must be equally many rows of {width} values")

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """What is left of the content."""
        directions, readers, centre = (
            torch.tensor(x, dtype=slots_BnD.dtype, device=slots_BnD.device)
            for x in (self.directions, self.readers, self.centre)
        )
        return slots_BnD - (slots_BnD - centre) @ readers.T @ directions


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetBank(Intervention):
    """The whole bank is fresh again after sentence ``step``."""

    step: int
    kind: ClassVar[str] = "reset_bank"
    meaning: ClassVar[str] = "the whole bank is fresh again after a sentence"

    def __post_init__(self) -> None:
        check_step(self.step, is_needed=True)

    def hooks(self, context: RunContext) -> list[Hook]:
        """The bank after the sentence."""

        def edit(bank_BND: Tensor, *, hook: Any) -> Tensor | None:
            return context.fresh_ND.expand_as(bank_BND) if context.step == self.step else None

        return [("hook_bank", edit)]


# By the name in JSON; in the order in which they are offered.
KINDS: dict[str, type[Intervention]] = {
    cls.kind: cls for cls in (Zero, Mean, Resample, Swap, Erase, Freeze, ResetBank, ClampGate, BlockRead)
}
