"""Banks of many rows: in memory, or left in the files of their traces and read where they are used.

Analyses go through slots in parts, so that the memory they take does not grow with the number of slots, and
for banks in files not with the number of rows and slots together.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from lm2core.traces.mapped_arrays import MappedArrays
from lm2viz.arrays import Array

BANK = "hook_bank"
PART_BYTES = 64 * 2**20  # of all rows of the slots that are worked on at once, in double precision


class Banks(Protocol):
    """What analyses use of banks (n_rows, n_slots, n_dims): an ndarray, or ``StoredBanks``.

    ``banks[rows]`` are fewer rows; ``banks[rows, slots]`` is an ndarray.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_rows, n_slots, n_dims)``."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __len__(self) -> int: ...


class StoredBanks:
    """Banks that stay in the files of their traces.

    places : of each row, the arrays of its file, its story and its segment
    change : applied to what is read, given ``(values, slots)``
    """

    def __init__(
        self,
        places: Sequence[tuple[MappedArrays, int, int]],
        change: Callable[[Array, Any], Array] | None = None,
    ) -> None:
        self._places, self._change = places, change

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_rows, n_slots, n_dims)``."""
        return (len(self), *self._places[0][0].shapes[BANK][2:])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, key: Any) -> Any:
        """Fewer rows, still in their files; with ``rows, slots`` what is read there."""
        if not isinstance(key, tuple):
            return StoredBanks([self._places[row] for row in np.arange(len(self))[key]], self._change)
        rows, slots = key
        chosen = [self._places[row] for row in np.arange(len(self))[rows]]
        values = np.stack([arrays.part(BANK, (story, segment, slots)) for arrays, story, segment in chosen])
        return values if self._change is None else self._change(values, slots)

    def changed(self, change: Callable[[Array, Any], Array]) -> "StoredBanks":
        """The same banks, of which ``change(values, slots)`` is what one reads."""
        return StoredBanks(self._places, change)


def slot_parts(banks: Banks) -> Iterator[slice]:
    """The slots in parts, each of which takes at most ``PART_BYTES`` or is one slot."""
    n_rows, n_slots, n_dims = banks.shape
    size = max(PART_BYTES // (n_rows * n_dims * 8), 1)
    for start in range(0, n_slots, size):
        yield slice(start, min(start + size, n_slots))
