"""Ranks as threads of one process: the collective calls of `examples.workload.communicator`, with MPI's own meaning.

Objects are copied by pickling, as between processes; a call returns once all ranks made it; Abort ends every rank.
"""

from __future__ import annotations

import copy
import functools
import operator
import threading
import time
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
        self.posted: dict[tuple[int, int], Any] = {}  # by call and rank: what is sent in the background


class ThreadComm:
    """One rank's view of the communicator."""

    def __init__(self, board: _Board, rank: int) -> None:
        self._board, self.rank, self.size = board, rank, len(board.slots)
        self._calls = 0  # that go on in the background

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
        return ThreadRequest(self._board, self._begun(), self.rank, sendbuf, recvbuf)

    def Ibarrier(self) -> ThreadRequest:  # noqa: N802 - MPI's name
        nothing = np.empty(0, np.uint8), [0] * self.size
        return ThreadRequest(self._board, self._begun(), self.rank, nothing, nothing)

    def _begun(self) -> int:
        self._calls += 1
        return self._calls

    def Abort(self, errorcode: int, /) -> NoReturn:  # noqa: N802 - MPI's name
        if self._board.aborted is None:
            self._board.aborted = errorcode
        self._board.barrier.abort()
        raise _Killed


class ThreadRequest:
    """An Alltoallv in the background: it can end once all ranks have begun it, and until then what is sent must stay as it is."""

    def __init__(self, board: _Board, call: int, rank: int, sendbuf: Any, recvbuf: Any) -> None:
        self._board, self._call, self._rank, self._receive, self._send = board, call, rank, recvbuf, sendbuf
        self._promised = copy.deepcopy(sendbuf)
        self._done = False
        board.posted[call, rank] = self._promised

    def Test(self) -> bool:  # noqa: N802 - MPI's name
        if self._board.aborted is not None or self._board.barrier.broken:
            raise _Killed
        ranks = range(len(self._board.slots))
        if not self._done and all((self._call, rank) in self._board.posted for rank in ranks):
            assert np.array_equal(self._send[0], self._promised[0]), "the send buffer changed while it was being sent"
            assert list(self._send[1]) == list(self._promised[1]), "the counts changed while they were being sent"
            parts = [_part(self._board.posted[self._call, rank], self._rank) for rank in ranks]
            assert [len(part) for part in parts] == list(self._receive[1]), "MPI_ERR_TRUNCATE"
            self._receive[0][:] = np.concatenate(parts)
            self._done = True
        return self._done

    def Wait(self) -> None:  # noqa: N802 - MPI's name
        while not self.Test():
            time.sleep(0.0001)


def _part(sent: Any, rank: int) -> Any:
    array, counts = sent
    start = sum(counts[:rank])
    return array[start : start + counts[rank]]


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
