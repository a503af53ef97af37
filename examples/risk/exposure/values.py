"""Values of all netting sets on a date, as one matrix product of fixed shape.

Divided by the numeraire, what is left of the swaps is a sum of bonds P(t, T) / N(t), functions of the one process z, with weights
that are added up over the swaps of a netting set beforehand; a Chebyshev series of z stands for this sum, whatever the number of
swaps. A floating coupon that was fixed at r, before t, is 1 / P(r, T) times such a bond, a function of z(t) and z(r): one more row
for each pair (r, T), however many swaps share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev

from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.trades import MONTHS, Swaps

Reals = npt.NDArray[np.float64]
REACH = 7.5  # standard deviations of z that the series covers; one normal in 1e13 is beyond
TOLERANCE = 1e-10  # of a netting set's gross notional: error of the series, measured between its nodes
_DEGREES = range(8, 65, 4)
_CHECKS = 97  # points


@dataclass(frozen=True, slots=True)
class Slice:
    """One date.

    Attributes:
        month: months from today; not always whole.
        weights: (netting sets, degree + 1 + coupons): Chebyshev coefficients, then notionals of fixed coupons.
        degree: of the series.
        coupons: for each, the month of its fixing, and what `HullWhite.fixed_coupon` says.
        reach: of z, either way.
    """

    month: float
    weights: Reals
    degree: int
    coupons: tuple[tuple[int, float, float, float], ...]
    reach: float

    @property
    def time(self) -> float:
        """Years from today."""
        return self.month / MONTHS

    def fill(self, z: Reals, fixings: Mapping[int, Reals], out: Reals) -> None:
        """What the weights belong to, into (degree + 1 + coupons, paths).

        Args:
            z: the process on the date, (paths,).
            fixings: the process in the months of fixings before, (paths,) each.
            out: Chebyshev polynomials of z, then the coupons.
        """
        out[0] = 1.0
        np.multiply(z, 1 / self.reach, out=out[1])
        twice = out[1] + out[1]
        for row in range(2, self.degree + 1):  # T_k = 2 x T_(k-1) - T_(k-2)
            np.multiply(twice, out[row - 1], out=out[row])
            np.subtract(out[row], out[row - 2], out=out[row])
        for row, (month, constant, now, then) in enumerate(self.coupons, self.degree + 1):
            np.multiply(z, now, out=out[row])
            np.multiply(fixings[month], then, out=twice)
            np.add(out[row], twice, out=out[row])
            np.add(out[row], constant, out=out[row])
            np.exp(out[row], out=out[row])


class NettingSets:
    """What is left of the swaps on any date.

    Args:
        swaps: all of them.
        count: of netting sets.
        model: of rates.
    """

    def __init__(self, swaps: Swaps, count: int, model: HullWhite) -> None:
        self._swaps, self._count, self._model = swaps, count, model
        self.gross = np.bincount(swaps.counterparty, swaps.notional, count)  # notional of each set
        last = int(swaps.maturity.max(initial=0))
        self._fixed = np.zeros((count, last + 1))  # payments of the fixed legs, by month, from the other side's view
        for payments in range(int((swaps.maturity // swaps.period).max(initial=0)) + 1):
            month = swaps.maturity - payments * swaps.period
            due = month > 0
            amount = -(swaps.sign * swaps.notional * swaps.rate * swaps.period / MONTHS)[due]
            np.add.at(self._fixed, (swaps.counterparty[due], month[due]), amount)

    @property
    def last(self) -> int:
        """Month of the last payment."""
        return self._fixed.shape[1] - 1

    def resets(self) -> list[int]:
        """Months after today in which a floating rate is fixed."""
        swaps = self._swaps
        found = {
            month
            for maturity, period in set(zip(swaps.maturity.tolist(), swaps.period.tolist(), strict=True))
            for month in range(maturity - period, 0, -period)
        }
        return sorted(found)

    def slice(self, month: float) -> Slice:
        """The matrix of one date, payments of that date being made already."""
        bonds, coupons, pairs = self._remaining(month)
        model, time = self._model, month / MONTHS
        reach = REACH * float(np.sqrt(model.variance(time))) or 1.0  # today z is 0
        months = np.flatnonzero(bonds.any(axis=0))
        checks = reach * np.cos(np.pi * (np.arange(_CHECKS) + 0.5) / _CHECKS)

        def values(z: Reals) -> Reals:
            return bonds[:, months] @ model.deflated_bond(time, months[:, None] / MONTHS, z)

        exact, scale = values(checks), np.maximum(self.gross, 1e-300)[:, None]
        for degree in _DEGREES:
            nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
            series = values(reach * nodes) @ np.linalg.inv(chebyshev.chebvander(nodes, degree)).T
            # beyond 6 deviations bonds are worth many times their notional, so the error is relative there
            error = np.abs(series @ chebyshev.chebvander(checks / reach, degree).T - exact) / (scale + np.abs(exact))
            if float(error.max()) <= TOLERANCE:
                break
        else:
            raise ArithmeticError(
                f"no series of degree {degree} is near enough in month {month:g}: rates move too far to be believed"
            )
        told = [(fixed, *model.fixed_coupon(time, fixed / MONTHS, paid / MONTHS)) for fixed, paid in pairs]
        return Slice(month, np.concatenate([series, coupons], axis=1), degree, tuple(told), reach)

    def _remaining(self, month: float) -> tuple[Reals, Reals, tuple[tuple[int, int], ...]]:
        """Weights of bonds by month of maturity, (netting sets, months); notionals of coupons fixed before, and their (r, T)."""
        swaps = self._swaps
        bonds = np.where(np.arange(self.last + 1) > month, self._fixed, 0.0)
        alive = swaps.maturity > month
        periods = np.ceil((swaps.maturity - month) / swaps.period).astype(np.int64) - 1  # whole ones after the current one
        payment = swaps.maturity - periods * swaps.period
        reset = payment - swaps.period
        amount = swaps.sign * swaps.notional
        np.add.at(bonds, (swaps.counterparty[alive], swaps.maturity[alive]), -amount[alive])
        now = alive & (reset == month)
        np.add.at(bonds, (swaps.counterparty[now], reset[now]), amount[now])
        told = alive & (reset < month) & (reset < 0)  # fixed before today
        grown = amount * (1 + swaps.fixing * swaps.period / MONTHS)
        np.add.at(bonds, (swaps.counterparty[told], payment[told]), grown[told])
        own = alive & (reset < month) & (reset >= 0)
        pairs, which = np.unique(np.stack((reset[own], payment[own]), axis=1), axis=0, return_inverse=True)
        coupons = np.zeros((self._count, len(pairs)))
        np.add.at(coupons, (swaps.counterparty[own], which), amount[own])
        return bonds, coupons, tuple((int(fixed), int(paid)) for fixed, paid in pairs)

    def values_today(self) -> Reals:
        """Of each netting set, in money."""
        bonds, _, _ = self._remaining(0)
        return np.asarray(bonds @ self._model.curve.discount(np.arange(self.last + 1) / MONTHS))
