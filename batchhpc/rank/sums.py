"""Sums whose bits depend on the numbers only: not on how many ranks there are, nor on any order.

Each number goes into an accumulator of whole numbers (`limbs`), ranks add theirs, which is exact, and the total is rounded once.
So the result is the double nearest to the true sum; no other sum is more accurate, nor the same on 3 ranks and on 4.

Zero is +0.0. Infinities and NaN count as in IEEE 754: any NaN, or infinities of both signs, give NaN; a sum that is too large
is infinite. Subnormal numbers count, unless a library has told the processor to take them for zero (-ffast-math does).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from batchhpc.rank.communicator import Communicator
from batchhpc.rank.limbs import BITS, LIMBS, Floats, Integers, carried, place, rounded
from batchhpc.rank.slices import peak, slices

BLOCK: Final = 4096  # rows of a block of `block_sums`
_FORMATS: Final = {np.dtype(np.float64): (53, -1074), np.dtype(np.float32): (24, -149)}  # bits of significand, least exponent
_TAKEN: Final = "float64, float32, float16 and integers of at most 32 bits"
_SIZE, _WIDTH = 1 << 15, 512  # numbers that stay in a processor's cache; columns that array operations need to be quick
_MOST_PLACED: Final = 1 << 28  # parts that may be placed before carries are taken on: limbs stay below 2**62
_ODD: Final = 3  # rows of counts: infinities, negative infinities, nans

Floating: TypeAlias = NDArray[Any]


class ExactSum:
    """Sums that are being formed, each exact: in int64, 8 bytes for every 32 bits between the largest and the smallest number.

    Args:
        shape: of the sums; () for one.
        dtype: of the result, float64 or float32. What is added may be either.
    """

    def __init__(self, shape: int | tuple[int, ...] = (), dtype: DTypeLike = "float64") -> None:
        self.shape: tuple[int, ...] = (shape,) if isinstance(shape, int) else tuple(shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in _FORMATS:
            raise TypeError(f"sums are float64 or float32, not {self.dtype}")
        self._count = int(np.prod(self.shape, dtype=np.int64))
        self._first = 0  # which limb of a double the first row is
        self._limbs: Integers = np.zeros((0, self._count), np.int64)
        self._odd: Integers | None = None
        self._placed = 0

    def add(self, values: ArrayLike) -> None:
        """Adds numbers: an array of the sums' shape, or of that shape behind any further axes, along which it is summed.

        Raises:
            TypeError: numbers that no double holds, such as int64.
            ValueError: another shape.
        """
        array = as_floats(values)
        lead = array.ndim - len(self.shape)
        if lead < 0 or array.shape[lead:] != self.shape:
            raise ValueError(f"sums of shape {self.shape} were given an array of shape {array.shape}, which does not end so")
        rows = array.reshape(int(np.prod(array.shape[:lead], dtype=np.int64)), self._count)
        for columns, block in _blocks(rows):
            self._add_block(columns, block)

    def merge(self, other: ExactSum) -> None:
        """Adds what another has summed.

        Raises:
            ValueError: it has another shape.
        """
        if other.shape != self.shape:
            raise ValueError(f"sums of shape {self.shape} cannot take in sums of shape {other.shape}")
        settled = other._settled()
        self._reach(other._first, other._first + len(settled))
        start = other._first - self._first
        self._limbs[start : start + len(settled)] += settled
        self._count_placed()
        if other._odd is not None:
            self._add_odd(slice(None), other._odd)

    def reduce(self, comm: Communicator | None) -> ExactSum:
        """The sums of all ranks, on all ranks; collective. This rank's own are left as they are.

        Two messages: 0.6 kB with which the ranks agree on the limbs that any of them has, then these limbs.

        Raises:
            ValueError: ranks have sums of different shapes; on all ranks.
        """
        total = ExactSum(self.shape, self.dtype)
        if comm is None:
            total.merge(self)
            return total
        limbs, odd = self._settle(), self._odd
        told = np.zeros(LIMBS + _ODD, np.int64)
        told[self._first : self._first + len(limbs)] = limbs.any(axis=1)
        mark = zlib.crc32(self._kind.encode()) & 0xFFFF
        told[LIMBS:] = odd is not None, mark, mark * mark
        told = summed(told, comm)
        if int(told[-1]) * comm.size != int(told[-2]) ** 2:  # equal only if all marks are
            kinds = enumerate(comm.allgather(self._kind))
            raise ValueError(f"ranks have different sums: {', '.join(f'rank {rank} {kind}' for rank, kind in kinds)}")
        rows, any_odd = np.flatnonzero(told[:LIMBS]), int(told[LIMBS] > 0)
        sent = np.zeros((len(rows) + _ODD * any_odd, self._count), np.int64)
        mine = (rows >= self._first) & (rows < self._first + len(limbs))
        sent[: len(rows)][mine] = limbs[rows[mine] - self._first]
        if odd is not None:
            sent[len(rows) :] = odd
        sent = summed(sent, comm)
        total._odd = sent[len(rows) :] if any_odd else None
        if len(rows):
            total._reach(int(rows[0]), int(rows[-1]) + 1)
            total._limbs[rows - rows[0]] = sent[: len(rows)]
        return total

    @property
    def _kind(self) -> str:
        return f"{self.dtype} of shape {self.shape}"

    def value(self) -> Floating:
        """The sums, each rounded once to the nearest; an array of `shape`, or a scalar."""
        result = np.empty(self._count)
        for start in range(0, self._count, _SIZE):
            columns = slice(start, start + _SIZE)
            result[columns] = rounded(self._limbs[:, columns], self._first, *_FORMATS[self.dtype])
        if self._odd is not None:
            plus, minus, nan = (counts != 0 for counts in self._odd)
            result[plus], result[minus], result[nan | plus & minus] = np.inf, -np.inf, np.nan
        with np.errstate(over="ignore"):
            return result.astype(self.dtype).reshape(self.shape)[()]

    def state(self) -> Integers:
        """All of it as int64 of shape (1, 71, *shape), for checkpoints: equal sums have equal states, whatever their order.

        States of several ranks, concatenated along the first axis and cut there for other ranks, are states of the same sums.
        """
        state = np.zeros((1, LIMBS + _ODD, self._count), np.int64)
        settled = self._settle()
        state[0, self._first : self._first + len(settled)] = settled
        if self._odd is not None:
            state[0, LIMBS:] = self._odd
        return state.reshape(1, LIMBS + _ODD, *self.shape)

    @classmethod
    def from_state(cls, state: Integers, dtype: DTypeLike = "float64") -> Self:
        """What has these states: all of them together, or nothing if there are none."""
        if state.dtype != np.int64 or state.ndim < 2 or state.shape[1] != LIMBS + _ODD:
            raise ValueError(f"no state of sums: {state.dtype} of shape {state.shape}, not int64 of (n, {LIMBS + _ODD}, ...)")
        made = cls(state.shape[2:], dtype)
        rows = state.sum(axis=0).reshape(LIMBS + _ODD, made._count)
        made._limbs = rows[:LIMBS]
        made._odd = rows[LIMBS:] if rows[LIMBS:].any() else None
        made._settle()
        return made

    def _add_block(self, columns: slice, block: Floats) -> None:
        """Adds up a block of (n, a multiple of the columns' number): several rows may stand side by side."""
        width = len(range(*columns.indices(self._count)))
        top = peak(block)
        if not np.isfinite(top):
            odd = np.stack([block == np.inf, block == -np.inf, np.isnan(block)])
            self._add_odd(columns, odd.reshape(_ODD, -1, width).sum(axis=1))
            block[odd.any(axis=0)] = 0.0
            top = peak(block)
        for position, numbers in slices(block, top, np.empty_like(block)):
            limb, shift = divmod(position, BITS)
            self._reach(limb, limb + 3)
            start = limb - self._first
            place(self._limbs[start : start + 3, columns], numbers.reshape(-1, width).sum(axis=0), shift)
            self._count_placed()

    def _add_odd(self, columns: slice, counts: Integers) -> None:
        if self._odd is None:
            self._odd = np.zeros((_ODD, self._count), np.int64)
        self._odd[:, columns] += counts

    def _reach(self, first: int, end: int) -> None:
        """Makes room for these limbs."""
        if not len(self._limbs):
            self._first = first
        below, above = max(0, self._first - first), max(0, end - self._first - len(self._limbs))
        if below or above:
            held = self._limbs
            self._limbs = np.zeros((below + len(held) + above, self._count), np.int64)
            self._limbs[below : below + len(held)] = held
            self._first -= below

    def _count_placed(self) -> None:
        self._placed += 1
        if self._placed > _MOST_PLACED:
            self._settle()

    def _settle(self) -> Integers:
        """Takes carries on, and drops limbs that nobody needs; gives the rest."""
        self._limbs, self._placed = self._settled(), 0
        there = np.flatnonzero(self._limbs.any(axis=1))
        if len(there):
            self._limbs, self._first = self._limbs[there[0] : there[-1] + 1], self._first + int(there[0])
        else:
            self._limbs, self._first = self._limbs[:0], 0
        return self._limbs

    def _settled(self) -> Integers:
        return carried(self._limbs, balanced=True)


def exact_sum(values: ArrayLike, comm: Communicator | None = None, *, axis: int | None = 0) -> Floating:
    """The sums along an axis over all ranks' values, each rounded once from the exact sum; collective over ``comm``.

    Args:
        values: this rank's numbers. Ranks may have different lengths, or none, along the axis, and the same along all others.
        comm: the ranks; None if this program is the only one.
        axis: along which is summed; None: everything, to one number.

    Returns:
        The same bits on all ranks: float32 for float32, else float64.

    Raises:
        TypeError: numbers that no double holds, such as int64.
        ValueError: ranks have different shapes; on all ranks.
    """
    array = as_floats(values)
    array = array.reshape(-1) if axis is None else np.moveaxis(array, axis, 0)
    total = ExactSum(array.shape[1:], np.float32 if array.dtype == np.float32 else np.float64)
    total.add(array)
    return (total if comm is None else total.reduce(comm)).value()


def block_sums(values: NDArray[Any], block: int = BLOCK) -> Floating:
    """Sums of blocks of so many rows, as numpy adds: quick, rounded, and the same wherever the block is, with one numpy on one CPU.

    With `exact_sum` of these, a total costs little more than numpy's and still has the same bits on any number of ranks, as
    long as blocks are: each rank's rows must begin at a multiple of ``block`` of the whole (see `block_range`).

    Args:
        values: (n, ...), float64 or float32.
        block: rows of each block but the last.

    Returns:
        (number of blocks, ...), of the same dtype.
    """
    rows = np.ascontiguousarray(values)
    whole = len(rows) // block * block
    sums: Floating = rows[:whole].reshape(whole // block, block, *rows.shape[1:]).sum(axis=1)
    if whole == len(rows):
        return sums
    return np.concatenate([sums, rows[whole:].sum(axis=0, keepdims=True)])


def block_range(total: int, rank: int, size: int, block: int = BLOCK) -> range:
    """Which of ``total`` rows a rank has if no block is divided: blocks are dealt out evenly, in order."""
    blocks = -(-total // block)
    start, stop = (min(total, blocks * each // size * block) for each in (rank, rank + 1))
    return range(start, stop)


def summed(numbers: Integers, comm: Communicator | None) -> Integers:
    """The sum over all ranks."""
    if comm is None:
        return numbers
    total = np.empty_like(numbers)
    comm.Allreduce(numbers, total)
    return total


def as_floats(values: ArrayLike) -> Floating:
    """As an array whose every element is a double."""
    array = np.asarray(values)
    if array.size == 0 and array.dtype.kind in "fiub":
        return array.astype(np.float32 if array.dtype == np.float32 else np.float64)
    if array.dtype.kind not in "fiub" or not np.can_cast(array.dtype, np.float64, "safe") or array.dtype.itemsize > 8:
        raise TypeError(f"exact sums take {_TAKEN}, not {array.dtype}")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        raise TypeError(f"exact sums take {_TAKEN}, not {array.dtype}: integers are exact without them")
    return array if array.dtype in _FORMATS else array.astype(np.float64)


def _blocks(rows: Floating) -> Iterator[tuple[slice, Floats]]:
    """Copies of parts that fit a processor's cache: which columns, and (n, m); of few columns many rows stand side by side."""
    count, width = rows.shape
    for start in range(0, width, _SIZE):
        columns = slice(start, min(start + _SIZE, width))
        wide = columns.stop - start
        step = max(1, _SIZE // wide)
        for at in range(0, count, step):
            part = rows[at : at + step, columns]
            beside = max(1, min(len(part), _WIDTH // wide))
            block = np.zeros((-(-len(part) // beside) * beside, wide))
            block[: len(part)] = part
            yield columns, block.reshape(-1, beside * wide)
