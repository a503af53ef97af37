"""What the thread in the background does: this rank's part; on rank 0 also waiting for the others', the commit, the cleaning.

Ranks do not speak with each other here. MPI calls belong to the program's thread, so rank 0 learns from the store that a part
is whole: the rank that wrote it leaves a description beside it, or the reason why there will be none.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from batchhpc.rank.checkpoint.errors import CheckpointError, StoreFailed
from batchhpc.rank.checkpoint.manifest import CHUNK, Part
from batchhpc.rank.checkpoint.sealed import seal, unseal
from batchhpc.rank.checkpoint.snapshot import Layout
from batchhpc.rank.checkpoint.store import Store

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds between two looks for parts; each is half as long again as the one before
_READERS: Final = 16  # descriptions that rank 0 reads at once


@dataclass(frozen=True, slots=True)
class Turn:
    """One save of one rank.

    Attributes:
        step: the program's count.
        prefix: of all parts' keys, with a slash at its end; no other save of any run has it.
        rank: this rank.
        layout: of the part.
        data: its bytes.
        started: when the save began, by the clock.
    """

    step: int
    prefix: str
    rank: int
    layout: Layout
    data: memoryview
    started: float


def part_key(prefix: str, rank: int, ending: str = "bin") -> str:
    """The key of a part, or of what describes it (``json``)."""
    return f"{prefix}{rank:06d}.{ending}"


def write_part(store: Store, turn: Turn) -> Part:
    """Writes a part, then its description. The checksums are computed beside the writing: both are about as fast as a disk."""
    key = part_key(turn.prefix, turn.rank)
    with ThreadPoolExecutor(1, "checkpoint-checksums") as beside:
        chunks = [turn.data[start : start + CHUNK] for start in range(0, len(turn.data), CHUNK)]
        checksums = [beside.submit(zlib.crc32, chunk) for chunk in chunks]
        if chunks:
            store.write(key, turn.data)
        part = Part(key, len(turn.data), turn.layout.arrays, tuple(checksum.result() for checksum in checksums))
    description = seal({"step": turn.step, "part": part.as_data()})
    if not store.create(part_key(turn.prefix, turn.rank, "json"), description):
        raise StoreFailed(f"{store.name}/{key}: described before: another run writes under this run's number")
    return part


def tell_failure(store: Store, turn: Turn, error: CheckpointError) -> None:
    """Spares rank 0 the waiting, if the store can still be written to."""
    with suppress(CheckpointError):
        store.create(part_key(turn.prefix, turn.rank, "json"), seal({"step": turn.step, "failed": str(error)}))


def gather_parts(
    store: Store,
    turn: Turn,
    ranks: int,
    deadline: float,
    *,
    left: threading.Event,
    check: Callable[[], None],
    clock: Callable[[], float],
) -> list[Part]:
    """All ranks' parts, once they are whole.

    Args:
        store: where they are.
        turn: rank 0's.
        ranks: how many there are.
        deadline: seconds to wait.
        left: set when nobody wants the checkpoint any more.
        check: raises if this run has been overtaken: the newer one removes parts, and nobody should wait for these.
        clock: seconds that never go back.

    Raises:
        CheckpointError: some never came, or their ranks say why not; they are named.
    """
    wanted = {part_key(turn.prefix, rank, "json"): rank for rank in range(ranks)}
    found: dict[int, Part] = {}
    until, pause = clock() + deadline, _FIRST_PAUSE
    with ThreadPoolExecutor(_READERS, "checkpoint-descriptions") as readers:
        while True:
            new = [key for key in store.list(turn.prefix) if key in wanted and wanted[key] not in found]
            read = readers.map(lambda key: unseal(store.read(key), f"{store.name}/{key}"), new)
            found.update({wanted[key]: _part(body, wanted[key]) for key, body in zip(new, read, strict=True)})
            missing = sorted(set(wanted.values()) - set(found))
            if not missing:
                return [found[rank] for rank in range(ranks)]
            if left.is_set() or clock() > until:
                why = "the program ended meanwhile" if left.is_set() else f"not within {deadline:g} s"
                raise CheckpointError(
                    f"checkpoint of step {turn.step}: {len(missing)} of {ranks} parts never came ({why}): rank {shown(missing)}\n"
                    f"  hint: is {store.name} shared by all nodes, and fast enough? A longer `deadline` waits longer"
                )
            check()
            left.wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def _part(body: Mapping[str, Any], rank: int) -> Part:
    if "failed" in body:
        raise CheckpointError(f"checkpoint of step {body['step']}: rank {rank} could not write its part: {body['failed']}")
    return Part.from_data(body["part"])


def shown(ranks: Sequence[int], most: int = 8) -> str:
    """``3, 5, 8``; of many only the first."""
    return ", ".join(map(str, ranks[:most])) + (f" and {len(ranks) - most} more" if len(ranks) > most else "")
