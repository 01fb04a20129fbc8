"""The arrays of a safetensors file without reading them: maps of the file, read where they are used.

The format: the length of a JSON header, the header, the values. Needs numpy alone, not torch. Each use makes
a map of its own, so that what was read leaves memory with the array that holds it.
"""

import json
import mmap
import os
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH_BYTES = 8  # of the header's length; the header itself is padded to a multiple of it
_TYPE_OF = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class MappedArrays(Mapping[str, NDArray[np.floating]]):
    """The arrays of a file by name, read where they are used; bfloat16 becomes float32."""

    def __init__(self, path: str | Path) -> None:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            header = json.loads(file.read(length))
            self._file = os.dup(file.fileno())  # kept open: a trace may outlive the name of its file
        weakref.finalize(self, os.close, self._file)
        self._at = {name: entry for name, entry in header.items() if name != "__metadata__"}
        self._start = LENGTH_BYTES + length

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array."""
        return {name: tuple(entry["shape"]) for name, entry in self._at.items()}

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays in the file."""
        return os.fstat(self._file).st_size - self._start

    def part(self, name: str, index: Any) -> NDArray[np.floating]:
        """What an index takes of an array; only that is read, or converted."""
        entry = self._at[name]
        begin, end = (self._start + offset for offset in entry["data_offsets"])
        before = begin % mmap.ALLOCATIONGRANULARITY  # a map begins at the start of a page
        mapped = mmap.mmap(self._file, end - begin + before, access=mmap.ACCESS_READ, offset=begin - before)
        values = np.frombuffer(mapped, np.uint8, offset=before)
        raw = values.view(_TYPE_OF[entry["dtype"]]).reshape(entry["shape"])[index]
        if entry["dtype"] != "BF16":
            return raw
        return (raw.astype(np.uint32) << 16).view(np.float32)

    def __getitem__(self, name: str) -> NDArray[np.floating]:
        return self.part(name, ...)

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)
