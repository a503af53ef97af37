"""Paths of Heston's model from one exercise date to the next, by the QE scheme with martingale correction.

The variance moves in steps by Andersen's quadratic-exponential scheme ("Simple and efficient simulation of the Heston stochastic
volatility model", 2008, sections 3.2 and 4.3): the next variance v' has the true mean m and variance s^2 given v. With
q = 2 m^2 / s^2,

    q >= 4/3:  v' = a (b + Z)^2,  b^2 = q - 1 + sqrt(q (q - 1)),  a = m / (1 + b^2)
    q <  4/3:  P(v' = 0) = p = (2 - q) / (2 + q), and above 0 an exponential variable of mean m / (1 - p)

The spot needs no steps: given the variances of an interval it is lognormal (Andersen's scheme with gamma_1 = gamma_2 = 1/2, added
up), so it takes one normal an interval however many steps the variance takes,

    S' = S exp((r - q) T + sum of (A v' - ln E[exp(A v') | v]) - s^2 / 2 + s Z)
    s^2 = (1 - rho^2) dt sum of (v + v') / 2,  A = rho / xi (1 + kappa dt / 2) - rho^2 dt / 4

and the conditional expectation in it keeps the discounted spot a martingale whatever dt.

Antithetic paths are the second half of a block, or of each group of paths of one state: all their normals have the other sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from examples.risk.american.model import Heston
from examples.risk.american.paths import Floats
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox

LONGEST_STEP = 1 / 32  # years: European puts of three models were off by less than 0.1 %; with 1 / 16, by up to 0.7 %
STORED = 1 << 30  # bytes of states that a rank keeps for the sweep, unless even the checkpoints of `Backward` need more
_LEAST_Q = 4 / 3  # Andersen's psi = 2 / q = 1.5, in the middle of where both schemes work


@dataclass(frozen=True, slots=True)
class _Step:
    """What is the same for all steps of one length.

    Attributes:
        rest, decay: the mean of the next variance is rest + decay * v.
        base, slope: its variance is base + slope * v.
        tilt: A of the module's text; 0 without correlation, and then no correction is needed.
        spread: (1 - rho^2) dt.
    """

    rest: float
    decay: float
    base: float
    slope: float
    tilt: float
    spread: float

    @classmethod
    def of(cls, model: Heston, dt: float) -> _Step:
        decay = math.exp(-model.kappa * dt)
        reverted = (1 - decay) / model.kappa
        tilt = model.rho / model.xi * (1 + model.kappa * dt / 2) - model.rho**2 * dt / 4
        if tilt * model.xi**2 * reverted >= 1:  # 2 a and m / (1 - p) are below xi^2 reverted: E exp(A v') is finite
            msg = f"steps of {dt:g} years are too long for a variance of volatility {model.xi:g} and correlation {model.rho:g}"
            raise ValueError(msg)
        return cls(
            model.theta * (1 - decay),
            decay,
            model.theta * model.xi**2 * model.kappa / 2 * reverted**2,
            model.xi**2 * decay * reverted,
            tilt,
            (1 - model.rho**2) * dt,
        )


class Intervals:
    """Moves blocks of paths from date to date.

    Args:
        model: what moves them.
        dates: of exercise, in years.
        stream: of draws.
        paths: of a block, a multiple of four (normals come in pairs).
        group: so many paths side by side have antithetic paths among them; 0: none has.
        dtype: float64 or float32.
        longest_step: of the variance, in years; an interval between dates has as many equal steps as that takes.

    Raises:
        ValueError: the steps are too long for this model.
    """

    def __init__(
        self,
        model: Heston,
        dates: Sequence[float],
        stream: Philox,
        paths: int,
        group: int = 0,
        dtype: npt.DTypeLike = np.float64,
        longest_step: float = LONGEST_STEP,
    ) -> None:
        lengths = np.diff(np.asarray((0.0, *dates))).tolist()
        counts = [max(1, math.ceil(length / longest_step - 1e-9)) for length in lengths]
        self._steps = [(count, _Step.of(model, length / count)) for length, count in zip(lengths, counts, strict=True)]
        self._carry = [(model.rate - model.dividend) * length for length in lengths]
        self._first_draw = np.concatenate(([0], np.cumsum(np.asarray(counts) + 1))).tolist()
        self._normals = Normals(stream, paths // 2 if group else paths, dtype)
        self._z = np.empty(paths, dtype)
        self._pairs = self._z.reshape(-1, 2, group // 2) if group else None
        self._drawn = np.empty((paths // group, group // 2) if group else 0, dtype)
        self._start, self._total, self._tilted, self._shrunk = (np.empty(paths, dtype) for _ in range(4))
        self._mean, self._q, self._b, self._t = (np.empty(paths, dtype) for _ in range(4))

    def advance(self, states: Floats, date: int, block: int) -> None:
        """Move states (spot, variance; paths) in place from the date before to this one (0: from today); block: of draws."""
        spot, variance = states
        count, step = self._steps[date]
        np.copyto(self._start, variance)
        self._total.fill(0)
        self._tilted.fill(0)
        self._shrunk.fill(1)
        for number in range(count):
            self._vary(variance, step, self._normals_of(block, self._first_draw[date] + number))
            np.add(self._total, variance, out=self._total)
        self._move(spot, variance, step, self._carry[date], self._normals_of(block, self._first_draw[date] + count))

    def _normals_of(self, block: int, draw: int) -> Floats:
        if self._pairs is None:
            self._normals.fill(block, self._z, draw)
        else:
            self._normals.fill(block, self._drawn, draw)
            np.copyto(self._pairs[:, 0], self._drawn)
            np.negative(self._drawn, out=self._pairs[:, 1])
        return self._z

    def _vary(self, variance: Floats, step: _Step, z: Floats) -> None:
        """One step of the variance; adds up what the correction needs."""
        mean, q, b, t = self._mean, self._q, self._b, self._t
        np.multiply(variance, step.decay, out=mean)
        np.add(mean, step.rest, out=mean)
        np.multiply(variance, step.slope / 2, out=b)
        np.add(b, step.base / 2, out=b)
        np.multiply(mean, mean, out=q)
        np.divide(q, b, out=q)
        low = np.flatnonzero(q < _LEAST_Q)  # few paths, and gathered: selecting by a mask would cost 4 ns a path, always
        low_q = q[low]
        np.maximum(q, _LEAST_Q, out=q)
        np.subtract(q, 1, out=b)
        np.multiply(b, q, out=b)
        np.sqrt(b, out=b)
        np.add(b, q, out=b)  # 1 + b^2
        a = np.divide(mean, b, out=q)
        np.subtract(b, 1, out=b)
        np.sqrt(b, out=b)
        np.add(b, z, out=b)
        np.multiply(b, b, out=b)
        np.multiply(a, b, out=variance)
        if len(low):
            scale = mean[low] * (0.5 + 1 / low_q)  # m / (1 - p)
            above = np.log(low_q / (low_q / 2 + 1)) - np.log(ndtr(-z[low]))
            variance[low] = np.maximum(above, 0) * scale
        if step.tilt:  # E exp(A v') = exp(A (m - a) / (1 - 2 A a)) / sqrt(1 - 2 A a), for m - a = a b^2
            np.subtract(mean, a, out=t)
            np.multiply(a, -2 * step.tilt, out=a)
            np.add(a, 1, out=a)
            np.divide(t, a, out=t)
            if len(low):
                t[low] = np.log1p(step.tilt * mean[low] / (1 - step.tilt * scale)) / step.tilt
                a[low] = 1
            np.add(self._tilted, t, out=self._tilted)
            np.multiply(self._shrunk, a, out=self._shrunk)

    def _move(self, spot: Floats, variance: Floats, step: _Step, carry: float, z: Floats) -> None:
        """The spot's jump over a whole interval, given the variances."""
        squared, root, x, start = self._mean, self._b, self._t, self._start
        np.subtract(start, variance, out=squared)
        np.multiply(squared, 0.5, out=squared)
        np.add(squared, self._total, out=squared)
        np.multiply(squared, step.spread, out=squared)
        np.sqrt(squared, out=root)
        np.multiply(root, z, out=x)
        if step.tilt:
            np.subtract(self._total, self._tilted, out=root)
            np.multiply(root, step.tilt, out=root)
            np.add(x, root, out=x)
            np.log(self._shrunk, out=root)
            np.subtract(squared, root, out=squared)
        np.multiply(squared, -0.5, out=squared)
        np.add(x, squared, out=x)
        np.add(x, carry, out=x)
        np.exp(x, out=x)
        np.multiply(spot, x, out=spot)


class Forward:
    """Paths from the first date to the last; see `paths.Forward`. Arguments as of `Intervals`.

    Args:
        strike: in money.
        antithetic: the second half of a block mirrors the first.
    """

    def __init__(
        self,
        model: Heston,
        strike: float,
        dates: Sequence[float],
        stream: Philox,
        paths: int,
        dtype: npt.DTypeLike = np.float64,
        longest_step: float = LONGEST_STEP,
        *,
        antithetic: bool = False,
    ) -> None:
        self._intervals = Intervals(model, dates, stream, paths, paths if antithetic else 0, dtype, longest_step)
        self._today = np.array([[model.spot / strike], [model.variance]], dtype)
        self._states = np.empty((2, paths), dtype)
        self._block, self._date = 0, 0

    def begin(self, block: int) -> None:
        self._states[:] = self._today
        self._block, self._date = block, 0

    def step(self) -> Floats:
        self._intervals.advance(self._states, self._date, self._block)
        self._date += 1
        return self._states


class Backward:
    """Paths from the last date to the first; see `paths.Backward`. Arguments as of `Intervals`.

    No bridge leads back from a later state, so states are kept: of all dates if they fit; else of some dates, evenly spaced, from
    which those between are made once more when the sweep comes to them (twice the work, and some 2 sqrt(dates) states a path).

    Args:
        strike: in money.
        blocks: of this rank, by their numbers over all ranks.
        antithetic: the second half of a block mirrors the first.
        stored: bytes that states may take.
    """

    def __init__(
        self,
        model: Heston,
        strike: float,
        dates: Sequence[float],
        stream: Philox,
        paths: int,
        blocks: range,
        dtype: npt.DTypeLike = np.float64,
        longest_step: float = LONGEST_STEP,
        *,
        antithetic: bool = False,
        stored: int = STORED,
    ) -> None:
        self._intervals = Intervals(model, dates, stream, paths, paths if antithetic else 0, dtype, longest_step)
        self._today = np.array([[model.spot / strike], [model.variance]], dtype)
        self._blocks, self._dates = blocks, len(dates)
        one = 2 * paths * np.dtype(dtype).itemsize * max(1, len(blocks))
        self._stretch = _stretch(len(dates), stored // one)
        self._states = np.empty((len(blocks), min(self._stretch, len(dates)), 2, paths), dtype)
        self._saved = np.empty(
            (len(blocks), (len(dates) - 1) // self._stretch, 2, paths), dtype
        )  # ends of all stretches but the last
        self._held = [-1] * len(blocks)  # which stretch of a block is in `_states`

    def at(self, date: int, block: int) -> Floats:
        stretch, place = divmod(date, self._stretch)
        if self._held[block] < 0:
            self._walk(block, 0, self._dates)
        elif self._held[block] != stretch:
            self._walk(block, stretch * self._stretch, (stretch + 1) * self._stretch)
        self._held[block] = stretch
        states: Floats = self._states[block, place]
        return states

    def _walk(self, block: int, first: int, end: int) -> None:
        """Make states from one date up to another, from what was saved before them; saves where stretches end."""
        before: Floats = self._saved[block, first // self._stretch - 1] if first else self._today
        for date in range(first, end):
            states = self._states[block, date % self._stretch]
            states[:] = before
            self._intervals.advance(states, date, self._blocks[block])
            before = states
            if (date + 1) % self._stretch == 0 and date + 1 < self._dates:
                self._saved[block, date // self._stretch] = states


def _stretch(dates: int, states: int) -> int:
    """The longest stretch of dates whose states, and one for each other stretch, are no more than that; or the thriftiest."""
    needs = {length: length + (dates - 1) // length for length in range(1, dates + 1)}
    fitting = [length for length, need in needs.items() if need <= states]
    return max(fitting) if fitting else min(needs, key=lambda length: needs[length])


class Branching:
    """Paths within paths; see `paths.Branching`. Arguments as of `Intervals`.

    Args:
        outer: paths that branch.
        inner: paths of each, a multiple of two: half of them antithetic.
    """

    def __init__(
        self,
        model: Heston,
        dates: Sequence[float],
        stream: Philox,
        outer: int,
        inner: int,
        dtype: npt.DTypeLike = np.float64,
        longest_step: float = LONGEST_STEP,
    ) -> None:
        self._intervals = Intervals(model, dates, stream, outer * inner, inner, dtype, longest_step)
        self._states = np.empty((2, outer, inner), dtype)
        self._block, self._date = 0, 0

    def branch(self, states: Floats, date: int, block: int) -> None:
        self._states[:] = states[:, :, None]
        self._block, self._date = block, date + 1

    def step(self) -> Floats:
        flat: Floats = self._states.reshape(2, -1)
        self._intervals.advance(flat, self._date, self._block)
        self._date += 1
        return flat
