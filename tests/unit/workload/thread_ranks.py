"""Ranks as threads of one process: the collective calls of `examples.workload.communicator`, with MPI's own meaning.

Objects are copied by pickling, as between processes; a call returns once all ranks made it; Abort ends every rank.
"""

from __future__ import annotations

import copy
import functools
import operator
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import numpy as np

Result = TypeVar("Result")


class Aborted(Exception):
    """Some rank called Abort with this code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"Abort({code})")


class _Killed(BaseException):
    """What ends a rank when the job is aborted; no program catches it."""


class _Board:
    def __init__(self, size: int) -> None:
        self.slots: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=60)
        self.aborted: int | None = None


class ThreadComm:
    """One rank's view of the communicator."""

    def __init__(self, board: _Board, rank: int) -> None:
        self._board, self.rank, self.size = board, rank, len(board.slots)

    def _meet(self, value: Any) -> list[Any]:
        try:
            self._board.slots[self.rank] = value
            self._board.barrier.wait()
            seen = copy.deepcopy(self._board.slots)
            self._board.barrier.wait()
        except threading.BrokenBarrierError:
            raise _Killed from None
        return seen

    def Barrier(self) -> None:  # noqa: N802 - MPI's name
        self._meet(None)

    def bcast(self, obj: Any, /) -> Any:
        return self._meet(obj)[0]

    def allgather(self, sendobj: Any, /) -> list[Any]:
        return self._meet(sendobj)

    def allreduce(self, sendobj: Any, /) -> Any:
        return functools.reduce(operator.add, self._meet(sendobj))

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        result = np.asarray(recvbuf)
        everyone = self._meet(np.ascontiguousarray(sendbuf))
        assert {(each.dtype, each.size) for each in everyone} == {(result.dtype, result.size)}, "MPI_ERR_TRUNCATE"
        result[...] = np.sum([each.reshape(result.shape) for each in everyone], axis=0, dtype=result.dtype)

    def alltoall(self, sendobj: Any, /) -> list[Any]:
        assert len(sendobj) == self.size
        return [row[self.rank] for row in self._meet(sendobj)]

    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        array, counts = sendbuf
        assert sum(counts) <= len(array)
        incoming, expected = recvbuf
        parts = []
        for other, wanted in zip(self._meet((array, counts)), expected, strict=True):
            start = sum(other[1][: self.rank])
            part = other[0][start : start + other[1][self.rank]]
            assert len(part) == wanted, "MPI_ERR_TRUNCATE"
            parts.append(part)
        incoming[:] = np.concatenate(parts)

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any, /) -> ThreadRequest:  # noqa: N802 - MPI's name
        return ThreadRequest(self, sendbuf, recvbuf)

    def Abort(self, errorcode: int, /) -> NoReturn:  # noqa: N802 - MPI's name
        if self._board.aborted is None:
            self._board.aborted = errorcode
        self._board.barrier.abort()
        raise _Killed


class ThreadRequest:
    """An Alltoallv that happens when all ranks wait for it; what is sent must stay as it is until then, as MPI wants it."""

    def __init__(self, comm: ThreadComm, sendbuf: Any, recvbuf: Any) -> None:
        self._comm, self._buffers, self._promised = comm, (sendbuf, recvbuf), copy.deepcopy(sendbuf)

    def Test(self) -> bool:  # noqa: N802 - MPI's name
        return False

    def Wait(self) -> None:  # noqa: N802 - MPI's name
        sent, promised = self._buffers[0], self._promised
        assert np.array_equal(sent[0], promised[0]), "the send buffer changed while it was being sent"
        assert list(sent[1]) == list(promised[1]), "the counts changed while they were being sent"
        self._comm.Alltoallv(*self._buffers)


def run_ranks(size: int, program: Callable[[ThreadComm], Result]) -> list[Result]:
    """Run ``program`` on ``size`` ranks; what each returned.

    Raises:
        Aborted: a rank called Abort.
    """
    board = _Board(size)

    def run(rank: int) -> Result:
        try:
            return program(ThreadComm(board, rank))
        except BaseException:
            board.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
        errors = [error for future in futures if (error := future.exception())]
    if board.aborted is not None:
        raise Aborted(board.aborted)
    for error in errors:
        if not isinstance(error, _Killed):
            raise error
    return [future.result() for future in futures]
