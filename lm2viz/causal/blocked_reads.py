"""The intervention that hides slots from a question: attention knockout.

Source: Geva et al. 2023, arXiv:2304.14767.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from lm2core.errors import UserError
from lm2viz.causal.editing import Hook, Intervention, RunContext, as_slots, check_count

TINY = 1e-30  # of a share of attention, in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRead(Intervention):
    """A question's words do not read the slots; their attention goes to the others, in proportion.

    The bank stays as it was, so nothing can be written elsewhere instead.

    block : None is every block with memory
    """

    slots: tuple[int, ...] = field(kw_only=False)
    block: int | None = None
    kind: ClassVar[str] = "block_read"
    meaning: ClassVar[str] = "questions do not read the slots; the bank stays as it was"

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", as_slots(self.slots))
        if self.block is not None:
            check_count("block", self.block)

    def check_own(self, context: RunContext) -> None:
        """The block must have a memory, and a slot must be left to read."""
        blocks, n_slots = context.config.memory_blocks, context.config.memory_slots
        if self.block not in (None, *blocks):
            raise UserError(f"block_read: no memory in block {self.block}; it is in {blocks}")
        if len(self.slots) == n_slots:
            raise UserError(f"block_read: all {n_slots} slots; leave at least one to be read")

    @property
    def propagates(self) -> bool:
        """It acts on questions, which write nothing."""
        return False

    def hooks(self, context: RunContext) -> list[Hook]:
        """The weights of the read in the chosen blocks."""
        hidden = list(self.slots)

        def hide(pattern_BHTN: Tensor, *, hook: Any) -> Tensor:
            left_BHTN = pattern_BHTN.clone()
            left_BHTN[..., hidden] = 0.0
            return left_BHTN / left_BHTN.sum(dim=-1, keepdim=True).clamp_min(TINY)

        blocks = context.config.memory_blocks if self.block is None else [self.block]
        return [(f"blocks.{block}.mem.hook_read_pattern", hide) for block in blocks]
