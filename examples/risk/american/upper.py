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
- A martingale in closed form that resembles pi takes its own noise from inner paths: see `Hedge`.
- The farther the policy's own guess of Q is from what would change the maximum, in standard errors, the less Q's noise can do, and
  the fewer inner paths are enough. Their standard deviation is learned from paths that are then thrown away, so that this choice
  leaves the bound a bound. (Broadie and Cao, "Improved lower and upper bound algorithms for pricing American options by
  simulation", Quantitative Finance 8, 2008, skip far states instead.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from batchhpc.rank import ExactSum
from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls
from examples.risk.american.model import Model
from examples.risk.american.paths import Branching, Floats, Forward
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
OUTER: Final = 256  # paths of a block
_BATCH: Final = 2048  # inner paths that go on side by side, unless one state has more; larger batches are seldom full
GROUPS: Final = 16  # points of the convergence
_FEW: Final = 30  # outer paths that gain, below which their sample error is not believed
_LEAST: Final = 32  # inner paths of a state; 16 took the same time, and left a larger gap
_FEWER: Final = 4  # times: so many fewer has each tier of states than the one before
_SURE: Final = 3.0  # standard errors of Q between the guess and what is critical, for which a tier is enough
_ALIKE: Final = 4  # states next to each other in the order of guessed gains, whose inner paths are taken to spread alike

Martingale = Callable[[Reals, Reals], Reals]  # states (rows, paths), times (paths,): its value, discounted to today


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
        inner: inner paths of a state where they matter, rounded up to a multiple of 4; other states have fewer.
        blocks: of outer paths, over all ranks.
        hedge: a martingale that resembles what the policy is worth: see `Hedge`. It takes its own noise from inner paths.
        early: whether exercise before the last date may pay; if not, h is below Q there, and hindsight gains nothing. See `early`.

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
        hedge: Martingale | None = None,
        *,
        early: bool = True,
    ) -> None:
        self._contract, self._policy, self._forward, self._going_on, self.blocks = contract, policy, forward, going_on, blocks
        self._hedge, self._early = hedge, early and len(contract.dates) > 1
        self._assets = len(spots)
        # What gains may be taken for: a put pays one strike; what a call pays has no bound, but it is worth less than the spots
        self._largest = 1.0 if contract.payoff.endswith("put") else float(spots.sum())
        self._at_once = float(contract.exercise(spots[:, None], np.empty(1))[0]) if contract.today else 0.0
        self._discounts = np.exp(-rate * np.asarray(contract.dates))
        self._last = len(contract.dates) - 1
        numbers = [_fours(inner)]
        while numbers[-1] > _LEAST:
            numbers.append(max(_LEAST, _fours(numbers[-1] // _FEWER)))
        self._tiers = [_Tier(number, branching) for number in numbers]
        self._groups = min(blocks, GROUPS)
        self.sums = ExactSum((self._groups, 3))
        self._batch, self._steps = 0, 0

    def add(self, block: int) -> None:
        """Send a block of outer paths on, and add what hindsight gains on each."""
        if not self._early:
            return
        states, gains, guesses, exercised = self._outer(block)
        self._batch, self._steps = block * 2 * OUTER * (1 + self._last), 0  # no batch has numbers of another block's
        level = np.zeros(OUTER)  # pi(j) is level + L(j)
        most = np.zeros(OUTER)  # the largest h - pi: at least 0, as it is where the policy exercises first
        if self._at_once > self._going_on.value:
            level += self._at_once - self._going_on.value
        for date in range(self._last):
            gain, here = gains[date], exercised[date]
            np.maximum(most, -level, out=most, where=here)
            critical = np.where(here, gain + level + most, gain - level - most)  # what Q must be for hindsight to gain just nothing
            asked = np.flatnonzero(here | (critical > 0))
            if not len(asked):
                continue
            asked = asked[np.argsort(gain[asked] - guesses[date][asked], kind="stable")]
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
        gaps = [self._gap(total, squares, count) for (total, squares), count in zip(so_far, ends, strict=True)]
        policy = max(self._at_once, self._going_on.value)
        values = [Estimate(policy + gap.value, math.hypot(gap.error, self._going_on.error)) for gap in gaps]
        return UpperBound(values[-1], gaps[-1], tuple(zip(ends, values, strict=True)), ends[-1], int(totals[:, 2].sum()))

    def _gap(self, total: float, squares: float, count: int) -> Estimate:
        """What hindsight gains, with an error that counts what no path has seen, if few of them gained anything.

        total**2 / squares is how many gained, if all gained alike. If that is below `_FEW`, sample errors mean nothing; as many are
        taken for possible as a Poisson number may be for which so few were seen (97.5 %), each with a gain of `_largest`.
        """
        gap = Estimate.of_sums(total, squares, count)
        seen = total * total / squares if squares else 0.0
        if seen >= _FEW or not self._early:
            return gap
        possible = float(chdtri(2 * (math.floor(seen) + 1), 0.025)) / 2 / count * self._largest
        return Estimate(gap.value, max(gap.error, possible / NormalDist().inv_cdf(0.975)))

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
        variances = self._variances(states, date)
        with np.errstate(divide="ignore", invalid="ignore"):
            enough = 2 * _SURE**2 * variances / np.square(distances)  # inner paths; nan where the policy has no guess
        values, left = np.empty(len(distances)), np.arange(len(distances))
        for tier, fewer in zip(self._tiers, [*self._tiers[1:], None], strict=True):
            few = enough[left] <= fewer.inner if fewer else np.zeros(len(left), np.bool_)
            for some, paid in self._batches(states, date, left[~few], tier):
                values[some] = paid.mean(axis=1)
            left = left[few]
        return values

    def _variances(self, states: Floats, date: int) -> Reals:
        """Of what antithetic pairs pay, from paths of some of the states, for no other use."""
        asked = np.arange(_ALIKE // 2, max(states.shape[1], _ALIKE // 2 + 1), _ALIKE) % states.shape[1]
        paid = np.concatenate([paid for _, paid in self._batches(states, date, asked, self._tiers[-1])])
        found = paid.reshape(len(asked), 2, -1).mean(axis=1).var(axis=1, ddof=1)
        smooth = (np.append(found[:1], found[:-1]) + found + np.append(found[1:], found[-1:])) / 3
        return np.asarray(np.interp(np.arange(states.shape[1]), asked, smooth))

    def _batches(self, states: Floats, date: int, chosen: Places, tier: _Tier) -> Iterator[tuple[Places, Reals]]:
        """Some of the states, batch by batch, and what the policy pays on their inner paths; a batch is filled up by repeating."""
        for first in range(0, len(chosen), tier.states):
            some = chosen[first : first + tier.states]
            yield some, self._paid(states[:, np.resize(some, tier.states)], date, tier)[: len(some)].copy()

    def _paid(self, states: Floats, date: int, tier: _Tier) -> Reals:
        """What the policy pays on inner paths from states of a date, less the hedge and plus its mean; (states, inner)."""
        tier.branching.branch(states, date, self._batch)
        self._batch += 1
        tier.begin(len(states))
        for later in range(date + 1, self._last + 1):
            if not tier.going.any():  # as soon happens to states far in the region of exercise, which have batches of their own
                break
            self._steps += tier.going.size
            now = tier.branching.step()
            if later < self._last:
                self._policy(now, later, tier.here)
                np.logical_and(tier.here, tier.going, out=tier.here)
                np.greater(tier.going, tier.here, out=tier.going)
                self._stop(tier, np.flatnonzero(tier.here), now, later)
            else:
                self._stop(tier, np.flatnonzero(tier.going), now, later)
        if self._hedge:
            known = self._hedge(np.asarray(states, np.float64), np.full(tier.states, self._contract.dates[date]))
            tier.paid -= self._hedge(tier.stopped, tier.times)
            tier.by_state += known[:, None]
        return tier.by_state

    def _stop(self, tier: _Tier, paths: Places, states: Floats, date: int) -> None:
        """Pay paths out. Gathered, each path once: 5 ns a path, where masks take 3 ns a path and date."""
        here = states[:, paths]
        gains = self._contract.exercise(here[: self._assets], np.empty(len(paths)))
        tier.paid[paths] = np.maximum(gains, 0, out=gains) * self._discounts[date]
        if self._hedge:
            tier.stopped[:, paths] = here
            tier.times[paths] = self._contract.dates[date]


class _Tier:
    """States that have so many inner paths each, a batch at a time, and room for these."""

    def __init__(self, inner: int, branching: Callable[[int, int], Branching]) -> None:
        self.inner = inner
        self.states = min(max(1, _BATCH // inner), OUTER // 2)
        self.branching = branching(self.states, inner)
        count = self.states * inner
        self.going, self.here = np.empty(count, np.bool_), np.empty(count, np.bool_)
        self.paid, self.times, self.stopped = np.empty(count), np.empty(count), np.empty((0, count))
        self.by_state = self.paid.reshape(self.states, inner)

    def begin(self, rows: int) -> None:
        """Before a batch, whose states have so many rows."""
        self.going.fill(True)
        self.paid.fill(0)
        if len(self.stopped) != rows:
            self.stopped = np.empty((rows, len(self.paid)))


def _fours(count: int) -> int:
    """The next multiple of 4, for antithetic pairs of which two make a spread."""
    return -(-count // 4) * 4


class Hedge:
    """The lower bound's controls, as many of each as it found best: what holding them until the policy stops is worth.

    A fixed portfolio, chosen from other draws than the upper bound's, so its martingale leaves every mean as it is.

    Args:
        contract: whose controls they are.
        model: under which they are martingales.
        coefficients: of each; see `lower.LowerBound.going_on`.
        inner: paths of a state, at most.
    """

    def __init__(self, contract: Contract, model: Model, coefficients: Sequence[float], inner: int) -> None:
        self._controls, self._coefficients = Controls(contract, model, max(_BATCH, _fours(inner))), np.asarray(coefficients)

    def __call__(self, states: Reals, times: Reals) -> Reals:
        return np.asarray(np.einsum("i,ij->j", self._coefficients, self._controls.at(states, times).values))


def upper_bound(comm: Communicator, upper: Upper, tell: Callable[[int], Any] = lambda _: None) -> UpperBound:
    """Share the blocks out among the ranks; ``tell`` hears how many of its own a rank has done. Collective."""
    first, end = (rank * upper.blocks // comm.size for rank in (comm.rank, comm.rank + 1))
    for done, block in enumerate(range(first, end), start=1):
        upper.add(block)
        tell(done)
    return upper.bound(comm)
