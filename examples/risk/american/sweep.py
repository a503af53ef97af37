"""From the last exercise date to the first, what going on is worth is regressed on the state (Longstaff and Schwartz 2001).

A path's value is what it pays from the date on, in strikes of that date. On a date before the last it is

    what exercise is worth, where that is above 0 and above the regression on all paths in the money; else
    what it was on the next date, discounted.

Ranks share out blocks of paths; one sum over all ranks a date. The coefficients alone are what is saved: with them the sweep is
replayed without regressions, which takes less than the first time, and any number of ranks can do it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batchhpc.rank import ExactSum
from examples.risk.american.basis import Basis
from examples.risk.american.contract import Contract
from examples.risk.american.paths import Backward
from examples.risk.american.policy import Policy, unscaled
from examples.risk.american.regression import NormalEquations
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

Reals = npt.NDArray[np.float64]
BLOCK: Final = 16384  # paths: few enough to stay in a processor's cache, and numpy's 0.5 us a call are little beside them


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep gives.

    Attributes:
        policy: when to exercise.
        sums: messages that a rank sent for the regressions, each a sum over all ranks.
        bytes: of all of them.
        path_dates: paths of this rank, times dates.
        on_paths: seconds of processor time that these took: in proportion to their number.
        on_dates: seconds of processor time between, for messages and solutions: in proportion to the number of dates.
            Where MPI waits busily, waiting for slower ranks is in it, too.
    """

    policy: Policy
    sums: int
    bytes: int
    path_dates: int
    on_paths: float
    on_dates: float


def own_blocks(comm: Communicator, blocks: int) -> range:
    """Of all blocks, those of this rank."""
    return range(comm.rank * blocks // comm.size, (comm.rank + 1) * blocks // comm.size)


class Sweep:
    """The sweep of one rank's blocks, date by date.

    Args:
        contract: what is exercised.
        rate: riskless.
        basis: the functions.
        backward: the paths.
        paths: of a block.
        blocks: of this rank.
        all_blocks: of all ranks.
        dtype: of the paths.
        early: whether exercise before the last date may pay; if not, no date has coefficients. See `early`.

    Attributes:
        last: number of the last date.
        coefficients, scales: of the dates that are done; see `Policy`.
        early: as given.
        message: bytes that a rank sends on a date.
        path_dates: paths of this rank, times dates.
        seconds: of processor time, on paths and between dates.
    """

    def __init__(
        self,
        contract: Contract,
        rate: float,
        basis: Basis,
        backward: Backward,
        paths: int,
        blocks: int,
        all_blocks: int,
        dtype: npt.DTypeLike = np.float64,
        *,
        early: bool = True,
    ) -> None:
        self.early = early
        self._basis, self._backward, self._blocks, self._all_paths = basis, backward, blocks, paths * all_blocks
        self._discounts = np.exp(-rate * np.diff(contract.dates, prepend=0.0)).astype(dtype)  # from a date to the one before
        self.last = len(contract.dates) - 1
        self._equations = NormalEquations(basis, paths, blocks, all_blocks, dtype)
        self._features = np.empty((blocks, basis.rows, paths), dtype)
        self._values = np.empty((blocks, paths), dtype)
        self._going_on = np.empty(paths, dtype)
        self._scratch = np.empty((basis.polynomials.registers, paths), dtype)
        self._exercised = np.empty(paths, np.bool_)
        self._unscaled: list[Any] = []
        self.coefficients = np.full((self.last, basis.count), np.nan)
        self.scales = np.array(basis.scales[: self.last])
        self.message = self._equations.bytes
        self.path_dates, self.seconds = paths * blocks * len(contract.dates), [0.0, 0.0]

    def begin(self) -> None:
        """On the last date, whatever is worth anything is exercised."""
        begun = time.process_time()
        for block in range(self._blocks):
            self._basis.features(self._backward.at(self.last, block), self._features[block])
            np.maximum(self._features[block, 0], 0, out=self._values[block])
        self.seconds[0] += time.process_time() - begun

    def regress(self, comm: Communicator, date: int) -> None:
        """Find the coefficients of a date; collective, one message."""
        begun = time.process_time()
        self._follow(date + 1)
        for block in range(self._blocks):
            self._to(date, block)
            self._equations.add(block, self._features[block], self._values[block], self.scales[date])
        added = time.process_time()
        self.coefficients[date] = self._equations.solve(comm, self.scales[date])
        self.seconds[0] += added - begun
        self.seconds[1] += time.process_time() - added

    def replay(self, date: int) -> None:
        """Pass a date whose coefficients are known."""
        self._follow(date + 1)
        for block in range(self._blocks):
            self._to(date, block)

    def value(self, comm: Communicator) -> float:
        """The mean of all paths, today, in strikes; collective."""
        total = ExactSum((1,))
        self._follow(0)
        for block in range(self._blocks):
            self._earlier(0, block)
            total.add(np.array([self._values[block].sum(dtype=np.float64)]))
        return float(np.asarray(total.reduce(comm).value())[0]) / self._all_paths

    def _follow(self, date: int) -> None:
        """Have the coefficients of a date ready, once for all blocks."""
        if date < self.last:
            self._unscaled = unscaled(self._basis, self.coefficients[date], self.scales[date], self._values.dtype)

    def _to(self, date: int, block: int) -> None:
        """Bring a block's values and features from the date after to this one."""
        self._earlier(date + 1, block)
        self._basis.features(self._backward.at(date, block), self._features[block])

    def _earlier(self, date: int, block: int) -> None:
        """Exercise on a date where the policy says so, and discount to the date before.

        Mixing by a mask of 0 and 1 takes four operations, and a third of the time of np.where on a random one.
        """
        values, features = self._values[block], self._features[block]
        if date < self.last:
            going_on = self._going_on
            self._basis.polynomials.value(self._unscaled, features, going_on, self._scratch)
            np.maximum(going_on, 0, out=going_on)
            np.greater(features[0], going_on, out=self._exercised)
            np.subtract(features[0], values, out=going_on)
            np.multiply(going_on, self._exercised, out=going_on)
            np.add(values, going_on, out=values)
        np.multiply(values, self._discounts[date], out=values)


def sweep(comm: Communicator, run: Sweep, basis: Basis, restart: Restart, tell: Callable[[int], Any] = lambda _: None) -> Swept:
    """The whole sweep; collective.

    Args:
        comm: the ranks.
        run: this rank's blocks.
        basis: the functions.
        restart: where coefficients are saved, and taken from.
        tell: hears how many dates are done.
    """
    begun = run.last
    if loaded := restart.load():
        begun = run.last - loaded.step
        run.coefficients[:] = loaded.shared["coefficients"]
    run.begin()
    for date in range(run.last - 1, -1, -1):
        if date >= begun or not run.early:
            run.replay(date)
        else:
            run.regress(comm, date)
            restart.offer(run.last - date, shared={"coefficients": run.coefficients})
        tell(run.last - date)
    value = run.value(comm)
    policy = Policy(basis.name, run.coefficients, run.scales, value)
    sums = min(begun, run.last) if run.early else 0
    return Swept(policy, sums, sums * run.message, run.path_dates, *run.seconds)
