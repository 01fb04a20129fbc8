"""A folder of trace files: more stories than fit in memory. Needs neither torch nor a model."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from lm2core.errors import UserError
from lm2core.traces.trace import Trace

PART = "part-{:05d}.safetensors"


class TraceFolder(Sequence[Trace]):
    """Story traces in the files of a folder, loaded one at a time: thousands of stories in little memory.

    Raises
    ------
    UserError
        When the folder has no part, or one of them is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._parts = sorted(
            p for p in self.folder.glob("*") if re.fullmatch(r"part-\d{5}\.safetensors", p.name)
        )
        if not self._parts:
            raise UserError(f"{folder} has no traces; write them with record_to() or 'lm2 trace'")
        n_parts = Trace.load(self._parts[0]).info.get("n_parts", len(self._parts))  # older ones do not say
        missing = [name for i in range(n_parts) if not (self.folder / (name := PART.format(i))).exists()]
        if missing:
            raise UserError(
                f"{folder} lacks {', '.join(missing[:3])} of {n_parts} parts; copy the "
                "whole folder, or record it again"
            )

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Trace]: ...
    def __getitem__(self, index: int | slice) -> Trace | Sequence[Trace]:
        """Load one part, or a slice of them."""
        chosen = self._parts[index]
        return Trace.load(chosen) if isinstance(chosen, Path) else [Trace.load(part) for part in chosen]
