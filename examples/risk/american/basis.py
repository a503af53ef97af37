"""What the value of going on is regressed on: polynomials of a few features of the state, of which the first is the payoff.

    one asset      payoff, to its third power (Longstaff and Schwartz 2001 take as many functions)
    baskets        the same
    best or worst  the three best (worst) spots, of any number of assets: both best to their third powers, the third one linear
                   (after Andersen and Broadie 2004, table 2, who add Europeans)
    Heston         payoff and variance

Raw powers of spots over strikes are nearly dependent, and normal equations of float32 products of them gave 4.20 for an option
worth 4.478. So features are differences from the strike, and are divided by a scale of their size on the date.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import ONE_ASSET, Contract
from examples.risk.american.model import Gbm, Model
from examples.risk.american.polynomials import Exponents, Polynomials

Floats = npt.NDArray[Any]
SPAN: Final = 16.0  # scales: features beyond are taken to be there in the regression; 5 deviations and more
_CUBIC: Final[Exponents] = ((0,), (1,), (2,), (3,))
_TWO_CUBIC: Final[Exponents] = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
_THIRD_LINEAR: Final[Exponents] = (
    *((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (1, 1, 0), (0, 2, 0)),
    *((3, 0, 0), (2, 1, 0), (1, 2, 0), (0, 3, 0)),
)
_WITH_VARIANCE: Final[Exponents] = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1))
_TYPICAL = 1.5  # deviations


@dataclass(frozen=True, slots=True)
class Basis:
    """Functions of a state.

    Attributes:
        name: for policies that are kept.
        polynomials: of the features.
        features: from states (rows, paths) to (features, paths), in strikes; the first is what exercise is worth.
        scales: how large features are on each exercise date.
        below, above: whether features may be beyond `SPAN` scales on either side.
    """

    name: str
    polynomials: Polynomials
    features: Callable[[Floats, Floats], Any]
    scales: tuple[float, ...]
    below: bool
    above: bool

    @property
    def rows(self) -> int:
        """Features."""
        return len(self.polynomials.exponents[0])

    @property
    def count(self) -> int:
        """Functions."""
        return len(self.polynomials.exponents)


def basis_of(contract: Contract, model: Model) -> Basis:
    """The functions that suit a contract and a model."""
    call = contract.payoff.endswith("call")
    scales = tuple(_scale(contract, model, date) for date in contract.dates)
    if not isinstance(model, Gbm):
        return Basis("variance", Polynomials(_WITH_VARIANCE), _WithVariance(contract), scales, below=False, above=True)
    if contract.payoff in ONE_ASSET or contract.weights:
        return Basis("cubic", Polynomials(_CUBIC), _Payoff(contract), scales, below=False, above=call)
    functions = _THIRD_LINEAR if len(model.spots) > 2 else _TWO_CUBIC
    return Basis("ordered", Polynomials(functions), _Ordered(call=call), scales, below=not call, above=call)


class _Payoff:
    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, states: Floats, out: Floats) -> None:
        self._contract.exercise(states, out[0])


class _WithVariance:
    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, states: Floats, out: Floats) -> None:
        self._contract.exercise(states, out[0])
        np.copyto(out[1], states[1])


class _Ordered:
    """The largest spots less the strike, best first; or the strike less the smallest ones, smallest first.

    Sorting by comparisons of whole rows takes 2 operations a pair; np.partition along the assets took 20 times as long.
    """

    def __init__(self, *, call: bool) -> None:
        self._call = call
        self._better: np.ufunc = np.maximum if call else np.minimum
        self._worse: np.ufunc = np.minimum if call else np.maximum
        self._scratch = np.empty((2, 0))

    def __call__(self, states: Floats, out: Floats) -> None:
        better, worse = self._better, self._worse
        if self._scratch.shape[1] != out.shape[1] or self._scratch.dtype != out.dtype:
            self._scratch = np.empty((2, out.shape[1]), out.dtype)
        passed, lost = self._scratch
        first, second = out[0], out[1]
        better(states[0], states[1], out=first)
        worse(states[0], states[1], out=second)
        if len(out) > 2:
            third = out[2]
            worse(second, states[2], out=third)
            better(second, states[2], out=passed)
            worse(first, passed, out=second)
            better(first, passed, out=first)
            for spot in states[3:]:
                worse(first, spot, out=passed)
                better(first, spot, out=first)
                worse(second, passed, out=lost)
                better(second, passed, out=second)
                better(third, lost, out=third)
        if self._call:
            np.subtract(out, 1, out=out)
        else:
            np.subtract(1, out, out=out)


def _scale(contract: Contract, model: Model, date: float) -> float:
    """A typical payoff, in strikes; at least such that no put is worth more than `SPAN` of it."""
    if isinstance(model, Gbm):
        spots, volatility = model.spots, float(model.volatilities.max())
    else:
        spots, volatility = np.array([model.spot]), math.sqrt(max(model.variance, model.theta))
    if contract.weights:
        spots = np.array([np.dot(contract.weights, spots)])
    away = float(np.abs(np.log(spots / contract.strike)).max())
    move = math.expm1(min(500.0, _TYPICAL * volatility * math.sqrt(date) + away))
    return max(1 / SPAN, move if contract.payoff.endswith("call") else min(1.0, move))
