"""The lower bound: a policy that is given, on paths that it has not seen (Longstaff and Schwartz 2001, section 2).

No policy is worth more than the best one, so the mean of what it pays is too low, if anything; and the paths are fresh, so they
do not flatter it. Controls take most of the noise away (`controls`), scrambled Sobol' points most of the rest (`sobol_paths`).
Ranks share out the blocks; sums alone travel, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import ONE_ASSET, Contract
from examples.risk.american.controls import Controls
from examples.risk.american.greeks import Derivatives, Greeks, exercised_today
from examples.risk.american.model import Gbm, Model
from examples.risk.american.moments import Controlled, Moments
from examples.risk.american.paths import Forward
from examples.risk.american.stopping import Decide, Stopped
from examples.risk.numerics import black_scholes
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
BLOCK: Final = 8192  # paths: with their states they stay in a processor's cache
GROUPS: Final = 16  # of independent draws; each is a point of the convergence


@dataclass(frozen=True, slots=True)
class Draws:
    """How many paths, and what they are made of.

    Attributes:
        blocks: over all ranks, at least two.
        paths: of a block.
        antithetic: the second half of a block mirrors the first.
        replicates: scrambles of the same Sobol' points, with equally many blocks each; 0: draws are independent.
    """

    blocks: int
    paths: int
    antithetic: bool
    replicates: int = 0

    @classmethod
    def independent(cls, paths: int, *, antithetic: bool, block: int = BLOCK) -> Draws:
        """At least so many paths."""
        block = min(block, max(4, 2 ** ((max(paths, 8) - 1).bit_length() - 1)))
        return cls(max(2, -(-paths // block)), block, antithetic)

    @classmethod
    def sobol(cls, paths: int, replicates: int = 16, block: int = BLOCK // 2) -> Draws:
        """At least so many paths, and a power of two in each replicate."""
        points = max(16, 1 << (-(-paths // replicates) - 1).bit_length())
        block = min(points, block)
        return cls(replicates * points // block, block, antithetic=False, replicates=replicates)

    @property
    def groups(self) -> int:
        """Of blocks, numbered from 0; as equal as can be."""
        return self.replicates or min(self.blocks, GROUPS)

    def group(self, block: int) -> int:
        """In which a block is."""
        return block * self.groups // self.blocks

    @property
    def all_paths(self) -> int:
        return self.blocks * self.paths


@dataclass(frozen=True, slots=True)
class LowerBound:
    """All in strikes, today.

    Attributes:
        value: the largest of exercise at once, where that is allowed, of going on, and of the European option, if it has a formula.
        going_on: what the policy is worth if the option is not exercised today.
        exercised_today: whether exercise at once is worth more. Where both are the same within the error, taking the larger is
            too high by at most 0.4 errors.
        greeks: of the larger one; if asked for.
        controls: their names.
        convergence: paths so far, and going on by them.
        paths: in all.
    """

    value: Estimate
    going_on: Controlled
    exercised_today: bool
    greeks: Greeks | None
    controls: tuple[str, ...]
    convergence: tuple[tuple[int, Estimate], ...]
    paths: int


class Lower:
    """The lower bound, block by block.

    Args:
        contract: what is exercised.
        model: of the assets.
        decide: the policy: which paths exercise on a date.
        forward: paths that the policy was not found on.
        draws: how many there are.
        greeks: whether they are wanted too; they need the controls.
        controlled: whether there are controls; without them the mean is the plain one, and nothing of them is computed.

    Attributes:
        moments: what has been summed so far, for checkpoints.
    """

    def __init__(
        self,
        contract: Contract,
        model: Model,
        decide: Decide,
        forward: Forward,
        draws: Draws,
        *,
        greeks: bool = False,
        controlled: bool = True,
    ) -> None:
        if greeks and not controlled:
            raise ValueError("Greeks need the controls")
        self._contract, self._decide, self._forward, self._draws = contract, decide, forward, draws
        self._european = _european(contract, model)
        self._spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
        self._discounts = np.exp(-model.rate * np.asarray(contract.dates))
        self._controls = Controls(contract, model, draws.paths) if controlled else None
        self._names = self._controls.names if self._controls else ()
        self._derivatives = Derivatives(contract, model, self._controls) if greeks and self._controls else None
        rows = self._controls.rows if self._controls else 0
        self._stopped = Stopped(contract, len(self._spots), draws.paths, rows=rows, keep_first=greeks)
        self._rows = np.ones((len(self._names) + 2, draws.paths))
        more = self._derivatives.controls if self._derivatives else []
        self._pairs = np.empty((max([0, *more]) + len(self._rows), draws.paths // 2))
        self.moments = Moments(draws.groups, [len(self._names), *more], replicates=draws.replicates > 0)

    def add(self, block: int) -> None:
        """Send a block's paths on, and add what they pay."""
        stopped, rows = self._stopped, self._rows
        stopped.follow(self._forward, block, self._decide)
        if self._controls:
            sampled = self._controls.at(stopped.states, stopped.times, derivatives=self._derivatives is not None)
            np.subtract(sampled.values, self._controls.today.values, out=rows[1:-1])
        paid = self._contract.exercise(stopped.spots, rows[-1])
        discount = self._discounts[stopped.date]
        discount *= paid > 0
        paid *= discount
        more = self._derivatives.figures(stopped, discount, paid, sampled) if self._derivatives else ()
        self.moments.add(self._draws.group(block), map(self._independent, chain([rows], more)))

    def _independent(self, figure: Reals) -> Reals:
        """Means of mirrored paths, which are one draw."""
        if not self._draws.antithetic:
            return figure
        half = self._draws.paths // 2
        mean = np.add(figure[:, :half], figure[:, half:], out=self._pairs[: len(figure)])
        return np.multiply(mean, 0.5, out=mean)

    def bound(self, comm: Communicator) -> LowerBound:
        """What all ranks' blocks say; collective, two messages."""
        self.moments.reduce(comm)
        going_on = self.moments.estimate(0)
        at_once = float(self._contract.exercise(self._spots[:, None], np.empty(1))[0])
        exercised = self._contract.today and at_once >= max(going_on.value.value, self._european)
        greeks = None
        if self._derivatives and exercised:
            greeks = exercised_today(self._contract, self._spots)
        elif self._derivatives:
            greeks = self._derivatives.chosen([self.moments.estimate(1 + i).value for i in range(len(self._derivatives.controls))])
        draws = self._draws
        blocks = [sum(draws.group(block) < groups for block in range(draws.blocks)) for groups in range(2, draws.groups + 1)]
        convergence = [
            (count * draws.paths, self.moments.estimate(0, groups).value) for groups, count in enumerate(blocks, start=2)
        ]
        value = Estimate(at_once, 0.0) if exercised else going_on.value
        if self._european > value.value:  # where draws hardly see what it is worth
            value = Estimate(self._european, 0.0)
        return LowerBound(value, going_on, exercised, greeks, self._names, tuple(convergence), draws.all_paths)


def _european(contract: Contract, model: Model) -> float:
    """What the option is worth without early exercise, in strikes, so at least: of one asset, Black and Scholes; else 0."""
    if not isinstance(model, Gbm) or contract.payoff not in ONE_ASSET:
        return 0.0
    spot, dividend, volatility = (float(each[0]) for each in (model.spots, model.dividends, model.volatilities))
    sign = 1 if contract.payoff == "call" else -1
    return float(black_scholes.value(spot / contract.strike, 1.0, model.rate, dividend, volatility, contract.dates[-1], sign))


def lower_bound(comm: Communicator, lower: Lower, draws: Draws, tell: Callable[[int], Any] = lambda _: None) -> LowerBound:
    """Share the blocks out among the ranks; ``tell`` hears how many of its own a rank has done. Collective."""
    first, end = (rank * draws.blocks // comm.size for rank in (comm.rank, comm.rank + 1))
    for done, block in enumerate(range(first, end), start=1):
        lower.add(block)
        tell(done)
    return lower.bound(comm)
