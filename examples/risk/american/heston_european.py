"""European options under Heston's model where paths stop, from a fixed sum of exponentials.

With G the asset delivered at expiry, discounted, c = exp(-r T) k, and x = ln(G / c), the call is (Lewis, "A simple option formula
for general jump-diffusion and other exponential Levy processes", 2001)

    G - sqrt(G c) / pi * integral over u > 0 of Re[exp(i u x + C(u, T - t) + D(u, T - t) v)] / (u^2 + 1/4)

with C and D in the form that needs no count of branches (Albrecher et al., "The little Heston trap", 2007), at u - i / 2. Each
exponential is a martingale, so with nodes that are fixed the sum is one, too, however coarse it is: as a control it has no bias
but that of the paths' own steps, of which it takes away the part that it shares. C and D are the same for all paths on a date.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import ONE_ASSET, Contract
from examples.risk.american.model import Heston

Reals = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
_NODES: Final = 64
_REACH: Final = 8.0  # the integral ends where a normal of the variance's own size would be exp(-_REACH^2 / 2)
_LONGEST: Final = 120.0  # of the integral, for short options


@dataclass(frozen=True, slots=True)
class Europeans:
    """One row a strike: values today, in strikes, and derivatives by the logarithm of the asset, (strikes, paths)."""

    values: Reals
    by_log_spot: Reals


class HestonEuropean:
    """Puts or calls of several strikes.

    Args:
        contract: a put or a call.
        model: of the asset.
        strikes: in strikes of the contract.
    """

    def __init__(self, contract: Contract, model: Heston, strikes: tuple[float, ...]) -> None:
        self._call = contract.payoff == "call"
        self._cash = [strike * math.exp(-model.rate * contract.dates[-1]) for strike in strikes]
        expiry = contract.dates[-1]
        end = min(_LONGEST, _REACH / math.sqrt(min(model.variance, model.theta) * expiry))
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        self._nodes = 0.5 * end * (nodes + 1)
        self._weights = 0.5 * end * weights / (math.pi * (self._nodes**2 + 0.25))
        self.times = np.array([0.0, *contract.dates])
        constant, slope = _exponents(model, self._nodes, expiry - self.times)
        self._table = [np.ascontiguousarray(each.T) for each in (constant.real, constant.imag, slope.real, slope.imag)]

    @staticmethod
    def suits(contract: Contract, model: Heston) -> bool:
        """Whether there is this control: not where the variance is certain."""
        return contract.payoff in ONE_ASSET and model.xi > 0 and min(model.variance, model.theta) > 0

    def at(self, logs: Reals, variances: Reals, times: Reals) -> Europeans:
        """Value paths that are at ln G, (paths,), with these variances, at times that are exercise dates or today."""
        date = np.searchsorted(self.times, times)
        shape = len(self._cash), len(logs)
        values, moves = np.zeros(shape), np.zeros(shape)
        angle, part, size, cosine, sine = (np.empty(len(logs)) for _ in range(5))
        take: Any = np.take  # numpy's types know no mode with out
        real_constant, imaginary_constant, real_slope, imaginary_slope = self._table
        for number, (node, weight) in enumerate(zip(self._nodes.tolist(), self._weights.tolist(), strict=True)):
            take(imaginary_slope[number], date, out=angle, mode="clip")
            np.multiply(angle, variances, out=angle)
            np.add(angle, take(imaginary_constant[number], date, out=part, mode="clip"), out=angle)
            np.add(angle, np.multiply(logs, node, out=part), out=angle)
            take(real_slope[number], date, out=size, mode="clip")
            np.multiply(size, variances, out=size)
            np.add(size, take(real_constant[number], date, out=part, mode="clip"), out=size)
            np.exp(size, out=size)
            np.multiply(size, weight, out=size)
            # sines from tan(angle / 2), which numpy has vectorized: a third of the time
            np.tan(np.multiply(angle, 0.5, out=angle), out=angle)
            np.multiply(angle, angle, out=part)
            np.subtract(1, part, out=cosine)
            np.add(part, 1, out=part)
            np.divide(size, part, out=size)
            np.multiply(cosine, size, out=cosine)
            np.multiply(np.add(angle, angle, out=sine), size, out=sine)
            for row, cash in enumerate(self._cash):
                turn = node * math.log(cash)
                turned = math.cos(turn) * cosine + math.sin(turn) * sine
                values[row] += turned
                moves[row] += 0.5 * turned
                moves[row] -= (node * math.cos(turn)) * sine - (node * math.sin(turn)) * cosine
        assets = np.exp(logs)
        for row, cash in enumerate(self._cash):
            mean = np.sqrt(assets * cash)
            values[row] *= -mean
            moves[row] *= -mean
            values[row] += assets if self._call else cash
            moves[row] += assets if self._call else 0.0
        return Europeans(values, moves)


def _exponents(model: Heston, nodes: Reals, left: Reals) -> tuple[Complexes, Complexes]:
    """C and D at u - i / 2, (times, nodes), for times that are left."""
    variance_of_variance = model.xi**2
    beta = model.kappa - model.rho * model.xi * (1j * nodes + 0.5)
    d = np.sqrt(beta**2 + variance_of_variance * (nodes**2 + 0.25))
    g = (beta - d) / (beta + d)
    decayed = np.exp(-np.outer(left, d))
    slope = (beta - d) / variance_of_variance * (1 - decayed) / (1 - g * decayed)
    logs = np.log((1 - g * decayed) / (1 - g))
    constant = model.kappa * model.theta / variance_of_variance * (np.outer(left, beta - d) - 2 * logs)
    return constant, slope
