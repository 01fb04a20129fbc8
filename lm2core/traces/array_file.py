"""Arrays written to their places in a safetensors file while a model runs: none is in memory as a whole."""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.byte_sizes import format_bytes
from lm2core.errors import UserError
from lm2core.traces.mapped_arrays import LENGTH_BYTES

_NAME_OF = {"float32": "F32", "bfloat16": "BF16"}


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse arrays for which the disk of ``folder`` has too little room: a UserError."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise UserError(
            f"the trace takes {format_bytes(n_bytes)}, the disk has {format_bytes(free)} free; "
            "record fewer hooks, reduce them, or choose another disk"
        )


class ArrayWriter:
    """A file of arrays of shape (B,S,...), each written segment by segment.

    path : a file that does not exist; make it with ``atomic_path``, so that it is whole or not there
    shapes : of each array
    metadata : texts of the header

    Raises
    ------
    UserError
        When the disk has too little room, before anything is written.
    """

    def __init__(
        self, path: Path, shapes: Mapping[str, Sequence[int]], dtype: str, metadata: Mapping[str, str]
    ) -> None:
        self._dtype, self._shapes = getattr(torch, dtype), shapes
        header: dict[str, Any] = {"__metadata__": dict(metadata)}
        end = 0
        for name, shape in shapes.items():
            begin, end = end, end + math.prod(shape) * self._dtype.itemsize
            header[name] = {"dtype": _NAME_OF[dtype], "shape": list(shape), "data_offsets": [begin, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % LENGTH_BYTES)
        check_room(path.parent, end)
        start = LENGTH_BYTES + len(text)
        self._begin = {name: start + header[name]["data_offsets"][0] for name in shapes}
        self._n_written = dict.fromkeys(shapes, 0)
        self._file = path.open("wb")
        self._file.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)
        self._file.truncate(start + end)
        self._file.flush()

    def append(self, name: str, value: Tensor) -> None:
        """Write the next segment of an array, (B,...)."""
        n_segments = self._shapes[name][1]
        segment = self._n_written[name]
        rows = value.detach().to("cpu", self._dtype).contiguous().view(torch.uint8).flatten(1)
        for story, row in enumerate(rows.numpy()):
            place = self._begin[name] + (story * n_segments + segment) * row.nbytes
            self._pwrite(row, place)
        self._n_written[name] += 1

    def _pwrite(self, row: NDArray[np.uint8], place: int) -> None:
        data = memoryview(row.tobytes())
        while data:
            n_bytes = os.pwrite(self._file.fileno(), data, place)
            data, place = data[n_bytes:], place + n_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close the file; a segment that was not written is a bug, not a hole of zeros."""
        self._file.close()
        if kind is None:
            assert all(n == self._shapes[name][1] for name, n in self._n_written.items()), self._n_written
