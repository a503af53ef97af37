"""What a checkpoint consists of: which arrays of which rank lie where, and the checksum of each piece of every part."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from batchhpc.rank.checkpoint.errors import CheckpointError

FORMAT: Final = 1
CHUNK: Final = 8 << 20  # bytes of a part that have a checksum of their own: what is read at least


class Kind(StrEnum):
    """What an array is to the ranks."""

    SPLIT = "split"  # each rank has a piece of one global array, along an axis
    PER_RANK = "per_rank"  # each rank has its own
    SHARED = "shared"  # all ranks have the same: rank 0's is kept


@dataclass(frozen=True, slots=True)
class Stored:
    """An array in a part.

    Attributes:
        kind: see there.
        dtype: with byte order.
        axis: along which a split array is split; 0 of others.
        shape: as in the part: a split array's axis comes first, and the bytes are in C order.
        offset: of the first byte in the part.
    """

    kind: Kind
    dtype: np.dtype[Any]
    axis: int
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def as_data(self) -> list[Any]:
        descr: Any = np.lib.format.dtype_to_descr(self.dtype)
        return [self.kind.value, descr, self.axis, list(self.shape), self.offset]

    @classmethod
    def from_data(cls, data: list[Any]) -> Stored:
        kind, descr, axis, shape, offset = data
        return cls(Kind(kind), np.lib.format.descr_to_dtype(_tuples(descr)), axis, tuple(shape), offset)


@dataclass(frozen=True, slots=True)
class Part:
    """One rank's bytes.

    Attributes:
        key: of the bytes in the store.
        size: bytes.
        arrays: by name.
        checksums: CRC-32 of each `CHUNK` bytes.
    """

    key: str
    size: int
    arrays: Mapping[str, Stored]
    checksums: tuple[int, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "bytes": self.size,
            "arrays": {name: stored.as_data() for name, stored in self.arrays.items()},
            "crc32": "".join(f"{checksum:08x}" for checksum in self.checksums),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Part:
        arrays = {name: Stored.from_data(stored) for name, stored in data["arrays"].items()}
        text = data["crc32"]
        return cls(data["key"], data["bytes"], arrays, tuple(int(text[at : at + 8], 16) for at in range(0, len(text), 8)))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a checkpoint is the state of: another input or another program cannot go on from it."""

    inputs: Mapping[str, str]
    version: str

    def differences(self, there: Identity) -> list[str]:
        """What this program has, and the checkpoint ``there`` does not."""
        found = [] if self.version == there.version else [f"version: {there.version!r} there, {self.version!r} here"]
        for name in sorted({*self.inputs, *there.inputs}):
            before, now = there.inputs.get(name), self.inputs.get(name)
            if before != now:
                found.append(f"inputs[{name!r}]: {_or_none(before)} there, {_or_none(now)} here")
        return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole checkpoint.

    Attributes:
        epoch: number of the run that made it.
        step: the program's own count.
        parts: one a rank, in order.
        state: the program's small state: JSON.
        identity: of the program and its inputs.
        machine: what computed it (`machine.together`).
    """

    epoch: int
    step: int
    parts: tuple[Part, ...]
    state: Any
    identity: Identity
    machine: Mapping[str, list[str]]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)

    def as_data(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "epoch": self.epoch,
            "step": self.step,
            "ranks": len(self.parts),
            "chunk": CHUNK,
            "parts": [part.as_data() for part in self.parts],
            "state": self.state,
            "inputs": dict(self.identity.inputs),
            "version": self.identity.version,
            "machine": dict(self.machine),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], name: str) -> Manifest:
        """The manifest of a journal's entry; ``name``: of the entry, for the message.

        Raises:
            CheckpointError: its format is another one.
        """
        if (data["format"], data["chunk"]) != (FORMAT, CHUNK):
            raise CheckpointError(
                f"{name}: format {data['format']} with chunks of {data['chunk']:,} bytes, but this version of batchhpc reads "
                f"format {FORMAT} with chunks of {CHUNK:,} bytes\n  hint: go on with the version of batchhpc that wrote it"
            )
        parts = tuple(Part.from_data(part) for part in data["parts"])
        identity = Identity(data["inputs"], data["version"])
        return cls(data["epoch"], data["step"], parts, data["state"], identity, data["machine"])


def check_state(state: Any) -> None:
    """Raises `CheckpointError` if JSON would not give the state back as it is."""
    try:
        json.dumps(state)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"state: {error}\n  hint: state is small JSON; put arrays into arrays, per_rank or shared") from error
    if not _keys_are_text(state):
        raise CheckpointError("state: keys that are no text would come back as text\n  hint: write str(key)")


def _keys_are_text(state: Any) -> bool:
    if isinstance(state, dict):
        return all(isinstance(key, str) and _keys_are_text(value) for key, value in state.items())
    return all(map(_keys_are_text, state)) if isinstance(state, list | tuple) else True


def _tuples(descr: Any) -> Any:
    """JSON has no tuples; a description of a structured dtype has lists of them."""
    if not isinstance(descr, list):
        return descr
    return [tuple(tuple(item) if at == 2 else _tuples(item) for at, item in enumerate(field)) for field in descr]


def _or_none(text: str | None) -> str:
    return "none" if text is None else repr(text)
