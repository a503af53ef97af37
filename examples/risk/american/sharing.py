"""Blocks of paths shared out among the ranks, with checkpoints from which another number of ranks goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy.typing as npt

from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

State = npt.NDArray[Any]
Ranges = Sequence[tuple[int, int]]  # of blocks, ends excluded, one after the other


@dataclass(frozen=True, slots=True)
class Summed:
    """Sums over blocks that do not depend on the order.

    Attributes:
        add: a block.
        state: of this rank's sums, (1, ...).
        take: states, (n, ...), of which the sum is what has been summed already.
    """

    add: Callable[[int], Any]
    state: Callable[[], State]
    take: Callable[[State], None]


def add_blocks(
    comm: Communicator, blocks: int, summed: Summed, restart: Restart, tell: Callable[[int], Any], rounds_between: int = 1
) -> None:
    """Add all blocks, each on one rank; collective.

    Args:
        comm: the ranks.
        blocks: how many, over all ranks.
        summed: what they are added to.
        restart: saves the sums and which blocks are left, and goes on from there.
        tell: hears about how many blocks all ranks have done.
        rounds_between: blocks of each rank between two looks at whether it is time to save.
    """
    left: Ranges = [(0, blocks)]
    if loaded := restart.load():
        assert loaded.state is not None
        left = [(first, end) for first, end in loaded.state["left"]]
        summed.take(loaded.arrays["sums"])
    count = sum(end - first for first, end in left)
    done = blocks - count
    shares = [(rank * count // comm.size, (rank + 1) * count // comm.size) for rank in range(comm.size)]
    own = list(chain.from_iterable(range(*each) for each in _cut(left, *shares[comm.rank])))
    rounds = max(end - first for first, end in shares)
    for number in range(1, rounds + 1):
        if number <= len(own):
            summed.add(own[number - 1])
        tell(min(blocks, done + number * comm.size))
        if number % rounds_between == 0 and number < rounds and restart.due():
            rest = [each for first, end in shares for each in _cut(left, min(first + number, end), end)]
            restart.save(done + number, arrays={"sums": summed.state()}, state={"left": rest})


def _cut(ranges: Ranges, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Of all blocks of the ranges, those from the first-th on, up to the end-th, which is excluded."""
    for start, stop in ranges:
        length = stop - start
        low, high = max(first, 0), min(end, length)
        if low < high:
            yield start + low, start + high
        first, end = first - length, end - length
