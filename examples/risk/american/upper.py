"""The upper bound: what hindsight would gain over the policy.

Source: Andersen and Broadie, "Primal-dual simulation algorithm for pricing multidimensional American options", Management Science
50, 2004; the dual itself is of Rogers (2002) and of Haugh and Kogan (2004).

Let L be the value of following the policy: h, what exercise gives, where it exercises, Q, what going on gives, elsewhere (all
discounted to today). The martingale of the policy is

    pi(0) = L(0),  pi(j) = pi(j-1) + L(j) - Q(j-1),

and the price is at most L(0) + E max_j (h(j) - pi(j)); the mean is 0 for the best policy. Q is the mean of paths within paths. The
maximum of noisy numbers is too large if anything, so inner paths, however few, keep it a bound.

Where Q goes in, and where it does not:

- On a date on which the policy goes on, Q cancels in pi from the next date on. It is needed for that date's own h - pi only, so not
  where h is below what would raise the maximum even if Q were 0: out of the money, never.
- On a date on which it exercises Q is needed for all later dates.
- The farther h is from the policy's own guess of Q, the less Q's noise can do, and the fewer inner paths are enough. The guess is
  known before any inner path is drawn, so this choice leaves the bound a bound. (Broadie and Cao, "Improved lower and upper bound
  algorithms for pricing American options by simulation", Quantitative Finance 8, 2008, skip paths instead.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from batchhpc.rank import ExactSum
from examples.risk.american.contract import Contract
from examples.risk.american.paths import Branching, Floats, Forward
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
OUTER: Final = 64  # paths of a block
BATCH: Final = 8192  # inner paths that go on side by side: with their states they stay in a processor's cache
GROUPS: Final = 16  # points of the convergence
_LEAST: Final = 32  # inner paths of a state
_FEWER: Final = 4  # times: so many fewer has each tier of states than the one before
_TIERS: Final = 4
_SURE: Final = 4.0  # standard errors of Q between the guess and what is critical, for which a tier is enough


class Policy(Protocol):
    """When to exercise, and what going on is thought to be worth, in strikes on the date itself."""

    def __call__(self, states: Floats, date: int, out: Flags, /) -> Any: ...
    def going_on(self, states: Floats, date: int, /) -> Floats: ...


@dataclass(frozen=True, slots=True)
class UpperBound:
    """All in strikes, today.

    Attributes:
        value: no policy is worth more; its error includes that of the lower bound, on which it stands.
        gap: how far it is above what the policy is worth.
        convergence: outer paths so far, and the bound by them.
        paths: outer ones.
        steps: dates that inner paths went through.
    """

    value: Estimate
    gap: Estimate
    convergence: tuple[tuple[int, Estimate], ...]
    paths: int
    steps: int


class Upper:
    """The upper bound, block by block.

    Args:
        contract: what is exercised.
        spots: today's, in strikes, (assets,).
        rate: riskless.
        policy: whose martingale it is.
        going_on: what the policy is worth today if the option is not exercised at once: see `lower`.
        forward: outer paths, `OUTER` of a block.
        branching: makes paths within paths, of so many outer paths so many inner ones each, half of them antithetic.
        inner: inner paths of a state where they matter, a power of two; others have fewer.
        blocks: of outer paths, over all ranks.
        today: state of the model today, (rows,), if that is more than the spots.

    Attributes:
        sums: for checkpoints: of the gap, of its square, and of steps, for each group of blocks.
    """

    def __init__(
        self,
        contract: Contract,
        spots: Reals,
        rate: float,
        policy: Policy,
        going_on: Estimate,
        forward: Forward,
        branching: Callable[[int, int], Branching],
        inner: int,
        blocks: int,
        today: Reals | None = None,
    ) -> None:
        self._contract, self._policy, self._forward, self._going_on, self.blocks = contract, policy, forward, going_on, blocks
        self._assets = len(spots)
        self._at_once = float(contract.exercise(spots[:, None], np.empty(1))[0]) if contract.today else 0.0
        self._discounts = np.exp(-rate * np.asarray(contract.dates))
        self._last = len(contract.dates) - 1
        numbers = [inner // _FEWER**tier for tier in range(_TIERS) if not tier or inner // _FEWER**tier >= _LEAST]
        self._tiers = [_Tier(number, tier, branching) for tier, number in enumerate(numbers)]
        self._groups = min(blocks, GROUPS)
        self.sums = ExactSum((self._groups, 3))
        self._batch, self._steps = 0, 0
        self._deviation = self._spread(spots if today is None else today)

    def add(self, block: int) -> None:
        """Send a block of outer paths on, and add what hindsight gains on each."""
        states, gains, guesses, exercised = self._outer(block)
        self._batch, self._steps = (1 + block) * OUTER * (1 + self._last), 0  # no batch has numbers of another block's
        level, most = (
            np.zeros(OUTER),
            np.zeros(OUTER),
        )  # pi(j) is level + L(j); the largest h - pi, 0 where the policy exercises first
        if self._at_once > self._going_on.value:
            level += self._at_once - self._going_on.value
        for date in range(self._last):
            gain, here = gains[date], exercised[date]
            np.maximum(most, -level, out=most, where=here)
            critical = np.where(here, gain + level + most, gain - level - most)  # what Q must be for hindsight to gain just nothing
            asked = np.flatnonzero(here | (critical > 0))
            going = gain[asked] - self._values(states[date][:, asked], date, np.abs(critical - guesses[date])[asked])
            exercises = here[asked]
            most[asked] = np.maximum(most[asked], np.where(exercises, 0.0, going - level[asked]))
            level[asked] += np.where(exercises, going, 0.0)
        np.maximum(most, -level, out=most)
        part = np.zeros(self.sums.shape)
        part[self._group(block)] = most.sum(), np.square(most).sum(), self._steps
        self.sums.add(part)

    def bound(self, comm: Communicator) -> UpperBound:
        """What all ranks' blocks say; collective, two messages."""
        totals = np.asarray(self.sums.reduce(comm).value())
        ends = [sum(self._group(block) <= group for block in range(self.blocks)) * OUTER for group in range(self._groups)]
        so_far = np.cumsum(totals[:, :2], axis=0).tolist()
        gaps = [Estimate.of_sums(total, squares, count) for (total, squares), count in zip(so_far, ends, strict=True)]
        policy = max(self._at_once, self._going_on.value)
        values = [Estimate(policy + gap.value, math.hypot(gap.error, self._going_on.error)) for gap in gaps]
        return UpperBound(values[-1], gaps[-1], tuple(zip(ends, values, strict=True)), ends[-1], int(totals[:, 2].sum()))

    def _group(self, block: int) -> int:
        return block * self._groups // self.blocks

    def _outer(self, block: int) -> tuple[list[Floats], Reals, Reals, Flags]:
        """Of each date: states, discounted h and guesses of Q (dates, OUTER), and where the policy exercises."""
        shape = (self._last + 1, OUTER)
        states, gains, guesses, exercised = [], np.empty(shape), np.zeros(shape), np.ones(shape, np.bool_)
        self._forward.begin(block)
        for date, discount in enumerate(self._discounts):
            now = self._forward.step()
            states.append(now.copy())
            self._contract.exercise(now[: self._assets], gains[date])
            if date < self._last:
                self._policy(now, date, exercised[date])
                np.multiply(self._policy.going_on(now, date), discount, out=guesses[date])
        np.maximum(gains, 0, out=gains)
        gains *= self._discounts[:, None]
        return states, gains, guesses, exercised

    def _values(self, states: Floats, date: int, distances: Reals) -> Reals:
        """Discounted Q of states (rows, states), each by as many inner paths as its distance from what is critical asks for."""
        values = np.empty(len(distances))
        remaining = 1 - self._contract.dates[date] / self._contract.dates[-1]  # the variance is taken to be in proportion
        with np.errstate(divide="ignore"):
            enough = (
                2 * remaining * np.square(_SURE * self._deviation / distances)
            )  # inner paths; nan where the policy has no guess
        left = np.arange(len(distances))
        for tier, fewer in zip(self._tiers, [*self._tiers[1:], None], strict=True):
            few = enough[left] <= fewer.inner if fewer else np.zeros(len(left), np.bool_)
            mine, left = left[~few], left[few]
            for first in range(0, len(mine), tier.states):
                some = mine[first : first + tier.states]
                batch = states[:, np.resize(some, tier.states)]  # filled up by repeating
                values[some] = self._paid(batch, date, tier).mean(axis=1)[: len(some)]
        return values

    def _spread(self, today: Reals) -> float:
        """Standard deviation of what an antithetic pair pays from today on: more than from any later state, mostly."""
        tier = self._tiers[0]
        paid = self._paid(np.repeat(today[:, None], tier.states, axis=1), -1, tier)
        return float(paid.reshape(tier.states, 2, -1).mean(axis=1).std())

    def _paid(self, states: Floats, date: int, tier: _Tier) -> Reals:
        """What the policy pays on inner paths from states of a date, discounted to today, (states, inner)."""
        tier.branching.branch(states, date, self._batch)
        self._batch += 1
        self._steps += tier.going.size * (self._last - date)
        tier.going.fill(True)
        tier.paid.fill(0)
        for later in range(date + 1, self._last + 1):
            now = tier.branching.step()
            self._contract.exercise(now[: self._assets], tier.gain)
            if later < self._last:
                self._policy(now, later, tier.here)
            else:
                np.greater(tier.gain, 0, out=tier.here)
            np.logical_and(tier.here, tier.going, out=tier.here)
            np.greater(tier.going, tier.here, out=tier.going)
            np.multiply(tier.gain, self._discounts[later], out=tier.gain)
            np.multiply(tier.gain, tier.here, out=tier.gain)
            np.add(tier.paid, tier.gain, out=tier.paid)
        return tier.paid.reshape(tier.states, tier.inner)


class _Tier:
    """States that have so many inner paths each, a batch at a time, and room for these."""

    def __init__(self, inner: int, tier: int, branching: Callable[[int, int], Branching]) -> None:
        self.inner = inner
        self.states = max(1, min((BATCH >> tier) // inner, OUTER // 4))  # the fewer paths, the smaller the batch: it is seldom full
        self.branching = branching(self.states, inner)
        count = self.states * inner
        self.going, self.here = np.empty(count, np.bool_), np.empty(count, np.bool_)
        self.gain, self.paid = np.empty(count), np.empty(count)


def upper_bound(comm: Communicator, upper: Upper, tell: Callable[[int], Any] = lambda _: None) -> UpperBound:
    """Share the blocks out among the ranks; ``tell`` hears how many of its own a rank has done. Collective."""
    first, end = (rank * upper.blocks // comm.size for rank in (comm.rank, comm.rank + 1))
    for done, block in enumerate(range(first, end), start=1):
        upper.add(block)
        tell(done)
    return upper.bound(comm)
