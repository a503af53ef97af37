"""Reading a checkpoint on any number of ranks: who needs which bytes, and whether they are those that were written.

A rank reads only the chunks of parts in which something of its own lies, each of them once, and verifies each by its checksum.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batchhpc.rank.checkpoint.errors import CheckpointDamaged, CheckpointError, Missing
from batchhpc.rank.checkpoint.manifest import CHUNK, Kind, Manifest, Part
from batchhpc.rank.checkpoint.snapshot import Array, as_array
from batchhpc.rank.checkpoint.store import Store
from batchhpc.rank.communicator import Communicator

_MESSAGE: Final = 64 << 20  # bytes of a shared array that are sent at once

Bounds = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint, as this rank has it.

    Attributes:
        step: as it was saved.
        arrays: this rank's pieces of the global arrays.
        bounds: of each of these, where it begins and ends along the split axis of the global array.
        per_rank: this rank's own arrays.
        shared: arrays that are the same on all ranks.
        state: the program's small state.
        ranks: how many ranks saved it.
        passed_over: what was wrong with newer checkpoints; empty if this is the newest.
        unlike: how the machines that computed it differ from these; empty if they do not.
    """

    step: int
    arrays: Mapping[str, Array]
    bounds: Bounds
    per_rank: Mapping[str, Array]
    shared: Mapping[str, Array]
    state: Any
    ranks: int
    passed_over: tuple[str, ...] = ()
    unlike: str = ""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Bytes ``start`` to before ``stop`` of a part, and where they go."""

    part: int
    start: int
    stop: int
    into: npt.NDArray[np.uint8]


@dataclass(slots=True)
class Plan:
    """What one rank reads, and the arrays it reads into, with their split axis still first."""

    arrays: dict[Kind, dict[str, Array]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    wishes: list[_Wish] = field(default_factory=list)

    def wish(self, part: int, offset: int, into: npt.NDArray[np.uint8]) -> None:
        if len(into):
            self.wishes.append(_Wish(part, offset, offset + len(into), into))


def plan(manifest: Manifest, rank: int, ranks: int, bounds: Bounds, without: Collection[str]) -> Plan:
    """What rank ``rank`` of ``ranks`` reads.

    Args:
        manifest: of the checkpoint.
        rank: this one.
        ranks: how many there are now.
        bounds: this rank's share of global arrays. Of one that is not named: what it saved if there are as many ranks as
            then; an equal share otherwise, as ``range(n)[n * rank // ranks : n * (rank + 1) // ranks]``.
        without: names of arrays that are not wanted.

    Raises:
        CheckpointError: this number of ranks or these bounds cannot have it.
    """
    made, problems = Plan(), _problems(manifest, ranks, bounds, without)
    if problems:
        raise CheckpointError("\n".join(problems))
    for name, stored in manifest.parts[0].arrays.items():
        if name in without or (stored.kind is Kind.SHARED and rank):
            continue
        if stored.kind is Kind.SPLIT:
            _plan_split(made, manifest, name, bounds.get(name) or _share(manifest, name, rank, ranks))
            continue
        own = 0 if stored.kind is Kind.SHARED else rank
        theirs = manifest.parts[own].arrays[name]
        block = np.empty(theirs.size, np.uint8)
        made.arrays[theirs.kind][name] = as_array(block, theirs.dtype, theirs.shape)
        made.wish(own, theirs.offset, block)
    return made


def _problems(manifest: Manifest, ranks: int, bounds: Bounds, without: Collection[str]) -> list[str]:
    kinds = {name: stored.kind for name, stored in manifest.parts[0].arrays.items()}
    found = [f"bounds[{name!r}]: the checkpoint has no such split array" for name in bounds if kinds.get(name) is not Kind.SPLIT]
    for name, (start, stop) in bounds.items():
        total = _starts(manifest, name)[-1] if kinds.get(name) is Kind.SPLIT else None
        if total is not None and not 0 <= start <= stop <= total:
            found.append(f"bounds[{name!r}]: {start} to {stop}, but the array goes from 0 to {total}")
    own = [name for name, kind in kinds.items() if kind is Kind.PER_RANK and name not in without]
    if own and ranks != len(manifest.parts):
        found.append(
            f"per_rank arrays {', '.join(own)}: saved by {len(manifest.parts)} ranks, each its own, and there are {ranks} now\n"
            f"  hint: run {len(manifest.parts)} ranks, or load(without={own!r}) and make them anew"
        )
    return found


def _starts(manifest: Manifest, name: str) -> list[int]:
    """Where each part's piece of a global array begins, and at last where the array ends."""
    return list(itertools.accumulate((part.arrays[name].shape[0] for part in manifest.parts), initial=0))


def _share(manifest: Manifest, name: str, rank: int, ranks: int) -> tuple[int, int]:
    starts = _starts(manifest, name)
    if ranks == len(manifest.parts):
        return starts[rank], starts[rank + 1]
    return starts[-1] * rank // ranks, starts[-1] * (rank + 1) // ranks


def _plan_split(made: Plan, manifest: Manifest, name: str, share: tuple[int, int]) -> None:
    start, stop = share
    stored = manifest.parts[0].arrays[name]
    row = math.prod(stored.shape[1:]) * stored.dtype.itemsize
    block = np.empty((stop - start) * row, np.uint8)
    made.arrays[Kind.SPLIT][name] = as_array(block, stored.dtype, (stop - start, *stored.shape[1:]))
    made.bounds[name] = share
    starts = _starts(manifest, name)
    for at, part in enumerate(manifest.parts):
        first, last = max(start, starts[at]), min(stop, starts[at + 1])
        if first < last:
            made.wish(
                at, part.arrays[name].offset + (first - starts[at]) * row, block[(first - start) * row : (last - start) * row]
            )


def read(store: Store, manifest: Manifest, wishes: list[_Wish]) -> None:
    """Reads and verifies.

    Raises:
        CheckpointDamaged: a part is missing, too short, or not as it was written; all of them are named.
    """
    chunks: dict[tuple[int, int], list[_Wish]] = {}
    for wish in wishes:
        for number in range(wish.start // CHUNK, -(-wish.stop // CHUNK)):
            chunks.setdefault((wish.part, number), []).append(wish)

    def fetch(item: tuple[tuple[int, int], list[_Wish]]) -> str:
        (at, number), wanted = item
        part, begin = manifest.parts[at], number * CHUNK
        end = min(begin + CHUNK, part.size)
        only = wanted[0]
        if len(wanted) == 1 and only.start <= begin and end <= only.stop:  # straight to where it belongs
            chunk, wanted = only.into[begin - only.start : end - only.start], []
        else:
            chunk = np.empty(end - begin, np.uint8)
        try:
            _read_chunk(store, part, number, chunk)
        except (CheckpointDamaged, Missing) as error:
            return str(error)
        for wish in wanted:
            first, last = max(wish.start, begin), min(wish.stop, end)
            wish.into[first - wish.start : last - wish.start] = chunk[first - begin : last - begin]
        return ""

    with ThreadPoolExecutor(store.streams, "checkpoint-reading") as pool:
        damages = [text for text in pool.map(fetch, sorted(chunks.items(), key=lambda item: item[0])) if text]
    if damages:
        raise CheckpointDamaged("; ".join(damages[:3]) + (f"; and {len(damages) - 3} more chunks" if len(damages) > 3 else ""))


def _read_chunk(store: Store, part: Part, number: int, into: npt.NDArray[np.uint8]) -> None:
    begin = number * CHUNK
    came = store.read_into(part.key, begin, into.data)
    where = f"{store.name}/{part.key}: bytes {begin:,} to {begin + len(into):,}"
    if came != len(into):
        raise CheckpointDamaged(f"{where}: expected {len(into):,} bytes, found {came:,}")
    if (found := zlib.crc32(into.data)) != part.checksums[number]:
        raise CheckpointDamaged(f"{where}: expected CRC-32 {part.checksums[number]:08x}, found {found:08x}")


def spread_shared(comm: Communicator, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Rank 0's arrays on all ranks; read once, and sent in pieces. Collective."""
    known: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = comm.bcast([(n, a.dtype, a.shape) for n, a in arrays.items()])
    spread = {}
    for name, dtype, shape in known:
        block = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
        if comm.rank == 0:
            block[:] = arrays[name].reshape(-1).view(np.uint8) if block.size else block
        for start in range(0, block.size, _MESSAGE):
            block[start : start + _MESSAGE] = comm.bcast(block[start : start + _MESSAGE])
        spread[name] = as_array(block, dtype, shape)
    return spread


def in_order(manifest: Manifest, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Split arrays with their split axis back where the program has it, in C order."""
    axes = {name: stored.axis for name, stored in manifest.parts[0].arrays.items()}
    return {
        name: np.ascontiguousarray(np.moveaxis(array, 0, axes[name])) if axes[name] else array for name, array in arrays.items()
    }
