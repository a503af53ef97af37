"""Where paths stop under a policy: each path's date and spots, so that whatever is wanted there is valued once a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.likelihood import Likelihood
from examples.risk.american.paths import Floats, Forward

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Decide = Callable[[Floats, int, Flags], Any]  # states, date, and where to write which paths exercise


class Stopped:
    """One block of paths, stopped.

    Paths that are exercised nowhere stop at expiry, worth nothing.

    Args:
        contract: which has the dates.
        assets: whose spots are kept; what else a state has is not.
        paths: of a block.
        likelihood: is told of every step, if there is one.

    Attributes:
        date: number of the exercise date, (paths,).
        times: the same in years.
        spots: in strikes, (assets, paths).
        by_volatility: the likelihood's scores until then, (assets, paths); none without one.
    """

    def __init__(self, contract: Contract, assets: int, paths: int, likelihood: Likelihood | None = None) -> None:
        self.date = np.empty(paths, np.intp)
        self.times, self.spots = np.empty(paths), np.empty((assets, paths))
        self.likelihood = likelihood
        self.by_volatility = np.empty((assets if likelihood else 0, paths))
        self._dates = np.asarray(contract.dates)
        self._going, self._now = np.empty(paths, np.bool_), np.empty(paths, np.bool_)

    def follow(self, forward: Forward, block: int, decide: Decide) -> None:
        """Send a block of paths on until each has stopped.

        Only paths that stop are gathered, each once: 5 ns a path, where masked copies on every date took 3 ns a path and date.
        """
        forward.begin(block)
        if self.likelihood:
            self.likelihood.begin()
        self._going[:] = True
        last = len(self._dates) - 1
        for date in range(last + 1):
            states = forward.step()
            if self.likelihood:
                self.likelihood.step(states, date)
            if date == last:
                self._stop(states, date, self._going)
                break
            decide(states, date, self._now)
            np.logical_and(self._now, self._going, out=self._now)
            self._stop(states, date, self._now)
            np.greater(self._going, self._now, out=self._going)
        self.times[:] = self._dates[self.date]

    def _stop(self, states: Floats, date: int, here: Flags) -> None:
        paths = np.flatnonzero(here)
        self.date[paths] = date
        for kept, spots in zip(self.spots, states, strict=False):
            kept[paths] = spots[paths]
        if self.likelihood:
            for kept, scores in zip(self.by_volatility, self.likelihood.by_volatility, strict=True):
                kept[paths] = scores[paths]
