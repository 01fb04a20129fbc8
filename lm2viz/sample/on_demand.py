"""Traces that are made when they are asked for: a sample of any size in the memory of one part."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import overload

from lm2core.traces.trace import Trace


class TracesOnDemand(Sequence[Trace]):
    """``n_parts`` traces, each made by ``make(i)`` when it is asked for. The last one made is kept.

    What goes through it a second time makes every part again.
    """

    def __init__(self, n_parts: int, make: Callable[[int], Trace]) -> None:
        self._n_parts = n_parts
        self._make = lru_cache(maxsize=1)(make)

    def __len__(self) -> int:
        return self._n_parts

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Trace]: ...
    def __getitem__(self, index: int | slice) -> Trace | Sequence[Trace]:
        """One part, or a slice of them, which is still made on demand."""
        chosen = range(self._n_parts)[index]
        if isinstance(chosen, int):
            return self._make(chosen)
        return TracesOnDemand(len(chosen), lambda i: self._make(chosen[i]))

    def map(self, change: Callable[[Trace], Trace]) -> "TracesOnDemand":
        """What ``change`` makes of every part, also on demand."""
        return TracesOnDemand(self._n_parts, lambda i: change(self[i]))
