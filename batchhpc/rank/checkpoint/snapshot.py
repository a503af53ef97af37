"""A rank's arrays at one moment, copied into one block of memory, which is its part's bytes.

The copy is all that the computing thread waits for. The block is kept for the next save: memory that has been touched
before takes a copy at twice the speed of new memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batchhpc.rank.checkpoint.errors import CheckpointError
from batchhpc.rank.checkpoint.manifest import Kind, Stored

_ALIGNED: Final = 64  # bytes: so that a part can be mapped into memory as it is

Array = npt.NDArray[Any]
Signature = dict[str, tuple[str, Any, int, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which array goes where in the part.

    Attributes:
        arrays: what is stored, by name.
        sources: the same, as the program has them, with the split axis first.
        size: bytes of the part.
    """

    arrays: Mapping[str, Stored]
    sources: Mapping[str, Array]
    size: int

    def signature(self) -> Signature:
        """What must be equal on all ranks, by name: kind, dtype, axis and the shape but for the split axis."""
        return {
            name: (stored.kind, stored.as_data()[1], stored.axis, stored.shape[1:])
            if stored.kind is Kind.SPLIT
            else (stored.kind, None, 0, ())
            for name, stored in self.arrays.items()
            if stored.kind is not Kind.SHARED
        }


def lay_out(
    split: Mapping[str, Array], axes: Mapping[str, int], per_rank: Mapping[str, Array], shared: Mapping[str, Array]
) -> Layout:
    """Finds every array its place.

    Args:
        split: pieces of global arrays.
        axes: along which axis each of them is split; 0 if it is not named.
        per_rank: this rank's own.
        shared: all ranks'; pass none on ranks other than 0.

    Raises:
        CheckpointError: an array cannot be stored; all that are wrong are named.
    """
    problems = [f"axes[{name!r}]: no array of that name among arrays" for name in axes if name not in split]
    seen: dict[str, str] = {}
    arrays, sources, end = {}, {}, 0
    for kind, argument, group in (
        (Kind.SPLIT, "arrays", split),
        (Kind.PER_RANK, "per_rank", per_rank),
        (Kind.SHARED, "shared", shared),
    ):
        for name, given in group.items():
            source, axis = np.asarray(given), axes.get(name, 0) if kind is Kind.SPLIT else 0
            if name in seen:
                problems.append(f"{argument}[{name!r}]: {seen[name]} has one of that name, too")
            elif source.dtype.hasobject:
                problems.append(f"{argument}[{name!r}]: dtype {source.dtype} holds Python objects, which have no bytes to store")
            elif kind is Kind.SPLIT and not -source.ndim <= axis < source.ndim:
                problems.append(f"{argument}[{name!r}]: split along axis {axis}, but it has {source.ndim} dimensions")
            else:
                seen[name] = argument
                axis %= max(source.ndim, 1)
                sources[name] = np.moveaxis(source, axis, 0) if axis else source
                arrays[name] = Stored(kind, source.dtype, axis, sources[name].shape, end)
                end = _aligned(end + arrays[name].size)
    if problems:
        raise CheckpointError("\n".join(problems))
    return Layout(arrays, sources, end)


class Buffer:
    """The block of memory; it grows to the largest snapshot so far."""

    def __init__(self) -> None:
        self._block: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def take(self, layout: Layout) -> memoryview:
        """Copies all arrays; the part's bytes, which the next call overwrites."""
        if len(self._block) < layout.size:
            self._block = np.empty(0, np.uint8)  # the old one is given back first
            self._block = np.empty(layout.size, np.uint8)
        for name, stored in layout.arrays.items():
            end = stored.offset + stored.size
            if stored.size:
                np.copyto(as_array(self._block[stored.offset : end], stored.dtype, stored.shape), layout.sources[name])
            self._block[end : _aligned(end)] = 0
        return self._block[: layout.size].data


def as_array(block: npt.NDArray[np.uint8], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """The same bytes as an array."""
    assert block.nbytes == math.prod(shape) * dtype.itemsize
    return np.ndarray(shape, dtype, block.data if block.nbytes else None)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
