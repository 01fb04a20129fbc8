"""Trace: the recording of a run, as arrays with named axes. The contract between lm2core, lm2viz and the app.

Needs only numpy and safetensors to open, neither torch nor a model. One file holds everything: the tensors
under their hook names, and the manifest as JSON in the safetensors header.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lm2core.byte_sizes import format_bytes
from lm2core.errors import UserError
from lm2core.files import atomic_path
from lm2core.traces.mapped_arrays import MappedArrays

SCHEMA = 1
# head: of the memory; path_head and memory_dim: of a memory with a width of its own
AXES = (
    "story", "segment", "block", "head", "attn_head", "path_head",
    "token", "source", "slot", "dim", "memory_dim",
)  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """Arrays of one run by hook name, with the names of their axes.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Float arrays, keyed by hook name. Read-only. Of an opened file they are ``MappedArrays``.
    axes : dict of str to tuple of str
        One name from ``AXES`` per dimension of the array of that key; all have ``story`` and ``segment``.
    tokens : list of list of list of str
        Words of each segment of each story; fewer than the size of the token axis if the segment is padded.
    info : dict
        JSON values that describe the origin of the trace (model, config, sentences).

    Raises
    ------
    UserError
        When axes, arrays and words do not match, or there is no array or no story.
    """

    arrays: Mapping[str, NDArray[np.floating]]
    axes: Mapping[str, tuple[str, ...]]
    tokens: list[list[list[str]]]
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that every array has named axes, and that an axis has one size wherever it occurs."""
        if not self.arrays:
            raise UserError("a trace needs at least one array, got none")
        sizes: dict[str, int] = {}
        for name, shape in self.shapes.items():
            axes = self.axes.get(name, ())
            if len(axes) != len(shape) or not set(axes) <= set(AXES):
                raise UserError(f"{name}: axes {axes} do not fit an array of shape {shape}")
            if not {"story", "segment"} <= set(axes):
                raise UserError(f"{name}: axes {axes} must have story and segment; give an axis of size 1")
            for axis, size in zip(axes, shape, strict=True):
                if sizes.setdefault(axis, size) != size:
                    raise UserError(f"{name}: axis {axis} has size {size}, elsewhere {sizes[axis]}")
            if not isinstance(self.arrays, MappedArrays):  # those are read-only, and not read yet
                self.arrays[name].flags.writeable = False
        self._check_tokens(sizes)

    def _check_tokens(self, sizes: Mapping[str, int]) -> None:
        """Check that words are text in lists (stories) of lists (segments) of lists that match the axes."""
        try:
            n_segments = [len(story) for story in self.tokens]
            words = [words for story in self.tokens for words in story]
            if not all(isinstance(word, str) for segment in words for word in segment):
                raise TypeError
        except TypeError:
            raise UserError("tokens must be lists (stories) of lists (segments) of words") from None
        if not n_segments:
            raise UserError("tokens must have the words of at least one story, got none; a story is a list")
        n_words = max(map(len, words), default=0)
        for axis, size in (("story", len(self.tokens)), ("segment", max(n_segments)), ("token", n_words)):
            if size > sizes.get(axis, size):
                raise UserError(f"tokens have {size} along {axis}, the arrays {sizes[axis]}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, without reading it."""
        if isinstance(self.arrays, MappedArrays):
            return self.arrays.shapes
        return {name: array.shape for name, array in self.arrays.items()}

    @property
    def n_segments(self) -> int:
        """Segments of the longest story."""
        return max(len(story) for story in self.tokens)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Indices of the blocks whose memory is in the trace, ascending."""
        return tuple(sorted({int(n.split(".")[1]) for n in self.arrays if ".mem." in n}))

    def __repr__(self) -> str:
        """Its model, hook points and sizes, without the arrays."""
        sizes = {
            axis: n
            for name, shape in self.shapes.items()
            for axis, n in zip(self.axes[name], shape, strict=True)
        }
        n_bytes = (
            self.arrays.n_bytes
            if isinstance(self.arrays, MappedArrays)
            else sum(array.nbytes for array in self.arrays.values())
        )
        model, hooks = str(self.info.get("model")), sorted({name.split(".", 2)[-1] for name in self.arrays})
        return (
            f"Trace(model={shorten(model, 80)!r}, {len(self.tokens)} stories, {self.n_segments} segments, "
            f"{len(self.arrays)} hook points: {shorten(' '.join(hooks), 400)}; "
            f"{', '.join(f'{axis} {n}' for axis, n in sizes.items())}; "
            f"{format_bytes(n_bytes)})"
        )

    def select(self, name: str, **where: int | Sequence[int]) -> NDArray[np.floating]:
        """The array ``name`` at given indices of named axes, e.g. ``select(hook, story=0, slot=3)``.

        A list of indices, ``slot=[3, 5]``, keeps its axis.

        Raises
        ------
        UserError
            For a hook that was not recorded, an axis it does not have, with those that it has, or a place
            outside the axis, with its size.
        """
        if name not in self.arrays:
            raise UserError(f"no {name!r} in this trace; it has: {', '.join(sorted(self.arrays))}")
        axes, shape = self.axes[name], self.shapes[name]
        unknown = set(where) - set(axes)
        if unknown:
            raise UserError(f"{name} has no axis {', '.join(sorted(unknown))}; it has: {', '.join(axes)}")
        several = {}
        for axis, places in where.items():
            index = np.asarray(places)
            if index.ndim > 1 or index.dtype.kind not in "iu":
                raise UserError(f"{axis}={places!r}; give a whole number, or a list of them")
            size = shape[axes.index(axis)]
            for place in index.flat:
                if not 0 <= place < size:
                    raise UserError(f"{axis} {place} is outside 0..{size - 1}")
            if index.ndim:
                several[axis] = index
        single = {axis: place for axis, place in where.items() if axis not in several}
        cut = tuple(single.get(axis, slice(None)) for axis in axes)
        if isinstance(self.arrays, MappedArrays):
            chosen = self.arrays.part(name, cut)
        else:
            chosen = self.arrays[name][cut]
        left = [axis for axis in axes if axis not in single]
        for axis, index in several.items():
            chosen = chosen.take(index, axis=left.index(axis))
        return chosen

    def check_is_whole(self, *names: str) -> None:
        """Refuse, with a UserError, arrays of which only a part was kept; see ``Reduction``."""
        reduced: Mapping[str, Any] = self.info.get("reduced", {})
        for name in names:
            gone = [f"axis {axis}" for axis in reduced.get("without", {}).get(name, ())]
            gone += [
                f"some {axis}s"
                for axis in ("slot", "token")
                if reduced.get(f"{axis}s") is not None and axis in self.axes.get(name, ())
            ]
            if gone:
                raise UserError(
                    f"{name} was recorded without {' and '.join(gone)}; record it again, all of it"
                )

    def over_blocks(self, hook: str, **where: int | Sequence[int]) -> NDArray[np.floating]:
        """``select`` of ``mem.<hook>`` in every recorded block, stacked on a new first axis (block)."""
        return np.stack([self.select(f"blocks.{b}.mem.{hook}", **where) for b in self.blocks])

    def write_shares(
        self, block: int, *, story: int, segment: int, dtype: type | None = None
    ) -> NDArray[np.floating]:
        """Routing R of a segment's tokens, ndarray of shape (n_tokens, n_slots) in [0, 1].

        What each token brings of a slot's update: its claim, scaled where the claims on a slot exceed 1, as
        in ``lm2core.model.memory.slot_shares``. Computed in ``dtype``, by default the array's own.
        """
        pattern = self.select(f"blocks.{block}.mem.hook_write_pattern", story=story, segment=segment)
        claims: NDArray[np.floating] = pattern[: len(self.tokens[story][segment])].astype(
            dtype or pattern.dtype
        )
        shares: NDArray[np.floating] = claims / np.maximum(claims.sum(axis=0), 1.0)
        return shares

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        with atomic_path(path) as temporary:
            try:
                save_file(arrays, temporary, metadata=manifest_of(self.axes, self.tokens, self.info))
            except SafetensorError as error:
                raise OSError(str(error)) from error

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Open a saved trace. Its arrays stay in the file, and are read where they are used.

        Raises
        ------
        UserError
            When the file is missing, truncated, no trace, or of another schema version.
        """
        try:
            parts = sorted(Path(path).glob("*.safetensors"))
            if parts:
                raise UserError(f"{path} is a folder of traces; name one of its files, such as {parts[0]}")
            if not Path(path).is_file():
                raise UserError(
                    f"no trace file at {path}; make one with: lm2 trace CHECKPOINT --story FILE --out {path}"
                )
            with safe_open(path, framework="numpy") as file:
                manifest = json.loads((file.metadata() or {}).get("lm2_trace", "{}"))
                schema = manifest.get("schema", "none") if isinstance(manifest, dict) else "none"
                if schema != SCHEMA:
                    raise UserError(f"{path}: expected trace schema {SCHEMA}, got {schema}; record it again")
            arrays = MappedArrays(path)
        except (SafetensorError, json.JSONDecodeError, OSError) as error:
            raise UserError(f"{path}: not a readable trace file ({error}); record it again") from None
        try:
            axes = {name: tuple(names) for name, names in manifest["axes"].items()}
            return cls(arrays, axes, manifest["tokens"], manifest["info"])
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: its manifest is broken at {error}; record it again") from None


def manifest_of(
    axes: Mapping[str, tuple[str, ...]], tokens: list[list[list[str]]], info: Mapping[str, Any]
) -> dict[str, str]:
    """What the header of a trace file says beside the arrays."""
    manifest = {"schema": SCHEMA, "axes": axes, "tokens": tokens, "info": dict(info)}
    return {"lm2_trace": json.dumps(manifest)}
