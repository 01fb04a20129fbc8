"""What is kept of each recorded tensor, and the shapes and bytes of a trace, known before the run.

Letters: B story, S segment, T token. Sizes of axes are those of the catalogue (hooks.py).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2core.model.config import LM2Config
from lm2core.traces.hooks import hook_names

BYTES_OF = {"float32": 4, "bfloat16": 2}
HEADS = ("head", "attn_head", "path_head")
WIDTHS = ("dim", "memory_dim")


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is kept of each tensor; by default all of it.

    mean_heads : attention patterns are averaged over heads and lose that axis
    mean_width : gates are averaged over the width and lose that axis
    slots, tokens : the numbers of those that are kept, ascending; None: all. Source tokens are all kept
    dtype : "float32" or "bfloat16"

    Raises
    ------
    UserError
        For an unknown dtype, and numbers that are not ascending from 0.
    """

    mean_heads: bool = False
    mean_width: bool = False
    slots: tuple[int, ...] | None = None
    tokens: tuple[int, ...] | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check the values that a user types."""
        if self.dtype not in BYTES_OF:
            raise UserError(f"unknown dtype {self.dtype!r}; choose one of: {', '.join(BYTES_OF)}")
        for name in ("slots", "tokens"):
            chosen = getattr(self, name)
            if chosen is not None and (not chosen or chosen[0] < 0 or sorted(set(chosen)) != list(chosen)):
                raise UserError(f"{name} {list(chosen)}; give different numbers from 0, ascending")

    def check_fits(self, config: LM2Config, n_tokens: int) -> None:
        """Refuse, with a UserError, slots and tokens that are not there."""
        for name, size in (("slots", config.memory_slots), ("tokens", n_tokens)):
            chosen = getattr(self, name)
            if chosen and chosen[-1] >= size:
                raise UserError(f"{name[:-1]} {chosen[-1]} is not there; these are 0 to {size - 1}")

    def averaged(self, name: str, axes: Sequence[str]) -> list[str]:
        """The axes over which the tensor of a hook is averaged."""
        is_gate = ".hook_gate" in name
        return [
            axis
            for axis in axes
            if (self.mean_heads and axis in HEADS) or (self.mean_width and is_gate and axis in WIDTHS)
        ]

    def apply(self, name: str, axes: Sequence[str], value: Tensor) -> Tensor:
        """What is kept of ``value``, whose axes are story and then ``axes``."""
        for axis, chosen in (("slot", self.slots), ("token", self.tokens)):
            if chosen is not None and axis in axes:
                value = value.index_select(1 + axes.index(axis), torch.tensor(chosen, device=value.device))
        averaged = self.averaged(name, axes)
        return value.mean(dim=[1 + axes.index(axis) for axis in averaged]) if averaged else value

    def words(self, tokens: list[list[list[str]]]) -> list[list[list[str]]]:
        """The words of the tokens that are kept."""
        chosen = self.tokens
        if chosen is None:
            return tokens
        return [[[words[t] for t in chosen if t < len(words)] for words in story] for story in tokens]

    def info(self, config: LM2Config, names: Sequence[str]) -> dict[str, Any]:
        """For the trace's ``info``, unless all is kept: what is kept, and the axes that are gone."""
        if self == Reduction(dtype=self.dtype):
            return {}
        known = hook_names(config)
        gone = {name: self.averaged(name, known[name].axes) for name in names}
        return {"reduced": {**asdict(self), "without": {name: axes for name, axes in gone.items() if axes}}}


WHOLE = Reduction()


def plan(
    config: LM2Config, shape: Sequence[int], names: Sequence[str], reduction: Reduction = WHOLE
) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """Axes and shape of each array of a trace over ids of ``shape`` (B,S,T)."""
    known = hook_names(config)
    n_stories, n_segments, n_tokens = shape
    size = {
        "token": n_tokens if reduction.tokens is None else len(reduction.tokens),
        "source": n_tokens,
        "slot": config.memory_slots if reduction.slots is None else len(reduction.slots),
        "dim": config.hidden_size,
        "memory_dim": config.bank_width,
        "path_head": config.bank_width // config.head_dim,
        "head": config.memory_heads,
        "attn_head": config.num_attention_heads,
    }
    arrays = {}
    for name in names:
        averaged = reduction.averaged(name, known[name].axes)
        axes = tuple(axis for axis in known[name].axes if axis not in averaged)
        shape_of = (n_stories, n_segments, *(size[axis] for axis in axes))
        arrays[name] = (("story", "segment", *axes), shape_of)
    return arrays


def planned_bytes(
    config: LM2Config, shape: Sequence[int], names: Sequence[str], reduction: Reduction = WHOLE
) -> int:
    """Size in bytes of a trace of ``names`` over ids of ``shape`` (B,S,T)."""
    values = sum(math.prod(shape_of) for _, shape_of in plan(config, shape, names, reduction).values())
    return values * BYTES_OF[reduction.dtype]
