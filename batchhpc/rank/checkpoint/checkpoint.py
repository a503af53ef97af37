"""`Checkpoint`: what a program calls. All that ranks agree on by MPI happens here, in the program's own thread."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from batchhpc.rank.checkpoint.agreement import raise_first, raise_together
from batchhpc.rank.checkpoint.background import Background
from batchhpc.rank.checkpoint.cleaning import prefix_of
from batchhpc.rank.checkpoint.errors import CheckpointError, CheckpointWarning
from batchhpc.rank.checkpoint.finding import Search
from batchhpc.rank.checkpoint.journal import Journal
from batchhpc.rank.checkpoint.loading import Bounds, Loaded
from batchhpc.rank.checkpoint.machine import differences, this_machine, together
from batchhpc.rank.checkpoint.manifest import Identity, check_state
from batchhpc.rank.checkpoint.snapshot import Array, Buffer, Layout, Signature, lay_out
from batchhpc.rank.checkpoint.store import Store, open_store
from batchhpc.rank.checkpoint.writing import Turn, shown
from batchhpc.rank.communicator import Alone, Communicator

_LOOK_EVERY: Final = 0.1  # seconds between two looks for the file that rank 0 made
_NONE: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a rank brings to a save."""

    step: int
    signature: Signature
    problem: CheckpointError | None


class Checkpoint:
    """Saves and loads a program's state. Every method is collective: all ranks call it, and all of them raise if one must.

    A ``with`` block waits at its end for the save that is under way, unless an exception goes through::

        with Checkpoint("s3://bucket/run-7", comm, inputs={"genome": digest}, version="3") as checkpoint:
            found = checkpoint.load()
            step, paths = (found.step, found.arrays["paths"]) if found else (0, first_paths())
            while step < last:
                paths, step = advance(paths), step + 1
                if checkpoint.due(600, now=told_to_stop()):
                    checkpoint.save(step, {"paths": paths})

    Args:
        where: a directory that all nodes share (FSx, EFS; any if there is one node), ``s3://bucket/prefix``, or a `Store`. For
            one computation: nothing else may be kept below it.
        comm: the ranks, like mpi4py's ``MPI.COMM_WORLD``; None if this program is the only one.
        inputs: what is computed from: a digest or version of each input, by name. A checkpoint of other ones is refused.
        version: of the program. Change it when a state would mean something else.
        keep: how many checkpoints are kept, at least; 2 or more let a damaged one be passed over.
        deadline: seconds that rank 0 waits for the other ranks' parts once its own is written.
        call_deadline: seconds that one call to S3 may take, with all its tries.
        visible_within: seconds until a file that rank 0 made must be seen by all ranks; NFS may cache directories for 60.
        read_only: only look. Any other `Checkpoint` at the same place ends the right to write of those before.
        environ: the rank's environment.
        clock: seconds that never go back.

    Raises:
        CheckpointMismatch: what is kept there was made with other inputs, or by another version.
        CheckpointError: the place is not shared by all ranks, which are named, or ranks differ in what they are given.
        StoreFailed: the place cannot be used.
        Unavailable: ``s3://`` without boto3.
    """

    def __init__(
        self,
        where: str | os.PathLike[str] | Store,
        comm: Communicator | None = None,
        *,
        inputs: Mapping[str, str],
        version: str,
        keep: int = 2,
        deadline: float = 600.0,
        call_deadline: float = 120.0,
        visible_within: float = 60.0,
        read_only: bool = False,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._comm: Communicator = Alone() if comm is None else comm
        self._identity = Identity(dict(inputs), version)
        self._read_only, self._clock = read_only, clock
        self._saves, self._buffer, self._saved_at = 0, Buffer(), clock()
        self._store = self._opened(where, call_deadline, keep)
        self._machine = self._agreed_machine()
        self._journal = Journal(self._store)
        if not read_only:
            # Before this run takes the place over from one that may still be at work there, and may be another program's.
            Search(self._store, self._journal, self._comm, self._identity).refuse_others()
            self._begin(visible_within)
        self._background = Background(
            self._store,
            self._journal,
            self._comm.size,
            self._identity,
            self._machine,
            keep=keep,
            deadline=deadline,
            environ=environ,
            clock=clock,
        )

    def load(self, *, bounds: Bounds = _NONE, without: Collection[str] = ()) -> Loaded | None:
        """The newest checkpoint that is whole; None if there is none yet. One that is damaged is named in a warning.

        Args:
            bounds: the share of global arrays that this rank wants, along the split axis: ``{"paths": (0, 500)}``; shares may
                overlap. An array that is not named comes back as it was saved, if as many ranks saved it, or in equal shares.
            without: names of arrays that are not wanted, and not read.

        Raises:
            CheckpointMismatch: it was made with other inputs, or by another version.
            CheckpointDamaged: there are checkpoints, and none is whole.
            CheckpointError: arrays that each rank has for itself, and another number of ranks; or bounds that do not fit.
        """
        self.wait()
        search = Search(self._store, self._journal, self._comm, self._identity)
        found = search.newest(bounds, without)
        self._background.damaged.update(search.damages)
        if found is None:
            return None
        loaded, manifest = found
        for text in loaded.passed_over:
            self._warn(f"{text}\n  the one before is used: step {loaded.step}")
        if unlike := differences(manifest.machine, self._machine):
            self._warn(f"the checkpoint of step {loaded.step} was computed elsewhere, bits may differ from here on: {unlike}")
        return replace(loaded, unlike=unlike)

    def save(
        self,
        step: int,
        arrays: Mapping[str, Array] = _NONE,
        *,
        axes: Mapping[str, int] = _NONE,
        per_rank: Mapping[str, Array] = _NONE,
        shared: Mapping[str, Array] = _NONE,
        state: Any = None,
        wait: bool = False,
    ) -> None:
        """Copies everything, returns, and writes the copy in the background. Waits for the save before, if that is not over.

        Args:
            step: the program's own count.
            arrays: this rank's pieces of global arrays, which are all pieces one after the other in the order of ranks. Pieces may
                differ in length, 0 included. They can be loaded on any number of ranks.
            axes: along which axis a global array is cut into pieces: ``{"grid": 1}``; 0 if it is not named.
            per_rank: arrays that each rank has for itself; these can be loaded on the same number of ranks only.
            shared: arrays that are the same on all ranks: rank 0's are kept.
            state: what JSON can hold, small and the same on all ranks: rank 0's is kept.
            wait: return once it is whole: for the last words before a node is taken away.

        Raises:
            Overtaken: found by the save before: a newer run writes here.
            CheckpointError: the save before failed, or this one cannot be made as it is asked for; this one has not begun.
        """
        previous = self._background.join()
        self._saved_at = started = self._clock()
        layout, data, problem = Layout({}, {}, 0), memoryview(b""), previous
        try:
            if self._read_only:
                raise CheckpointError("save: this Checkpoint is read_only")  # noqa: TRY301 - told to all ranks below
            layout = lay_out(arrays, axes, per_rank, shared if self._comm.rank == 0 else {})
            if self._comm.rank == 0:
                check_state(state)
            data = data if previous else self._buffer.take(layout)
        except CheckpointError as error:
            problem = previous or error
        except MemoryError as error:
            problem = previous or CheckpointError(
                f"checkpoint of step {step}: no memory for a copy of {layout.size:,} bytes: {error}"
            )
        self._agree(_Offer(step, layout.signature(), problem))
        self._saves += 1
        turn = Turn(step, prefix_of(self._journal.epoch, self._saves), self._comm.rank, layout, data, started)
        self._background.start(turn, json.loads(json.dumps(state)) if self._comm.rank == 0 else None)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits until the save that is under way is whole on all ranks; raises what went wrong with it."""
        error = self._background.join()
        raise_together(self._comm, error)
        if self._background.remark:
            self._warn(self._background.remark)
            self._background.remark = ""

    def due(self, every_seconds: float, *, now: bool = False) -> bool:
        """Whether it is time to save: the same answer on all ranks.

        Args:
            every_seconds: since the last save began, or this object was made; by rank 0's clock.
            now: this rank wants it at once, since its node has been told to stop.
        """
        late = self._comm.rank == 0 and self._clock() - self._saved_at >= every_seconds
        return any(self._comm.allgather(late or now))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.wait()
        else:
            self._background.leave()  # other ranks may not come here: nothing collective

    def _opened(self, where: str | os.PathLike[str] | Store, call_deadline: float, keep: int) -> Store:
        problem = CheckpointError(f"keep: {keep}, but at least the newest checkpoint must be kept") if keep < 1 else None
        store = None
        try:
            store = open_store(where, call_deadline)
        except CheckpointError as error:
            problem = problem or error
        raise_together(self._comm, problem)
        assert store
        return store

    def _agreed_machine(self) -> dict[str, list[str]]:
        """What all ranks compute on; raises if ranks disagree on what they compute, or where they keep it."""
        everybody = self._comm.allgather((self._identity, self._store.name, this_machine()))
        for rank, (identity, name, _) in enumerate(everybody):
            found = everybody[0][0].differences(identity)
            if name != everybody[0][1]:
                found.append(f"where: {name} there, {everybody[0][1]} here")
            if found:
                raise CheckpointError(f"rank {rank} is not given the same as rank 0 (there: rank {rank}):\n  " + "\n  ".join(found))
        return together(machine for _, _, machine in everybody)

    def _begin(self, visible_within: float) -> None:
        """Takes the epoch. Its entry also shows whether the place is shared: other ranks must see the very same one."""
        began = nonce = problem = None
        if self._comm.rank == 0:
            began, nonce = datetime.now(UTC).isoformat(timespec="milliseconds"), secrets.token_hex(8)
            about = {"nonce": nonce, "host": socket.gethostname(), "pid": os.getpid(), "ranks": self._comm.size, "began": began}
            try:
                self._journal.take_epoch(about)
            except CheckpointError as error:
                problem = error
        self._journal.epoch, nonce, problem = self._comm.bcast((self._journal.epoch, nonce, problem))
        if problem:
            raise type(problem)(str(problem))
        unseen = self._comm.allgather(self._unseen(nonce, visible_within))
        if blind := [rank for rank, why in enumerate(unseen) if why]:
            raise CheckpointError(
                f"{self._store.name}: not shared by all ranks: {len(blind)} of {self._comm.size} do not see what rank 0 wrote: "
                f"rank {shown(blind)}; rank {blind[0]} says: {unseen[blind[0]]}\n"
                "  hint: a directory on FSx or EFS that is mounted on all nodes, or s3://"
            )

    def _unseen(self, nonce: str, within: float) -> str:
        """Why this rank does not see rank 0's entry; empty if it does."""
        until = self._clock() + within
        while True:
            try:
                entry = self._journal.read(self._journal.epoch)
            except CheckpointError as error:
                why = f"{socket.gethostname()}: {error}"
            else:
                return "" if entry.get("nonce") == nonce else f"{socket.gethostname()}: another run's entry is in its place"
            if self._clock() >= until:
                return why
            time.sleep(_LOOK_EVERY)

    def _agree(self, offer: _Offer) -> None:
        offers: list[_Offer] = self._comm.allgather(offer)
        raise_first([other.problem for other in offers], offer.problem)
        first = offers[0]
        for rank, other in enumerate(offers):
            if other.step != first.step:
                raise CheckpointError(f"save: step {first.step} on rank 0, but step {other.step} on rank {rank}")
            for name in sorted({*first.signature, *other.signature}):
                here, there = first.signature.get(name), other.signature.get(name)
                if here != there:
                    raise CheckpointError(f"save: array {name!r} is {_said(here)} on rank 0, but {_said(there)} on rank {rank}")

    def _warn(self, text: str) -> None:
        if self._comm.rank == 0:
            warnings.warn(text, CheckpointWarning, stacklevel=3)


def _said(signature: tuple[str, Any, int, tuple[int, ...]] | None) -> str:
    if signature is None:
        return "not there"
    kind, dtype, axis, rest = signature
    return f"{kind}, {dtype}, axis {axis}, shape {list(rest)} without that axis" if dtype else kind
