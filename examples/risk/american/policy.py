"""When to exercise: if that is worth more than a polynomial of the state says that going on is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from examples.risk.american.basis import Basis
from examples.risk.american.paths import Floats

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the sweep found.

    Attributes:
        basis: name of the functions of the state; see `basis`.
        coefficients: of the value of going on, in strikes at the date itself, (dates - 1, functions); a row of nan where too few
            paths were in the money: nobody exercises then. On the last date one exercises whatever is worth anything.
        scales: by which each date's features are divided, (dates - 1,).
        value: the sweep's own estimate of going on today, in strikes; biased, and no bound.
    """

    basis: str
    coefficients: Reals
    scales: Reals
    value: float

    def told(self) -> dict[str, Any]:
        """For JSON, which has no nan; every bit is kept."""
        return {
            "basis": self.basis,
            "coefficients": [[None if math.isnan(each) else each for each in row] for row in self.coefficients.tolist()],
            "scales": self.scales.tolist(),
            "value": self.value,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any], functions: int) -> Self:
        """From JSON.

        Args:
            told: as `told` gave it.
            functions: of the basis.

        Raises:
            ValueError: it is none, or has another number of functions, or numbers that say nothing.
        """
        try:
            rows = [[math.nan if each is None else float(each) for each in row] for row in told["coefficients"]]
            coefficients = np.array(rows, np.float64).reshape(len(rows), -1 if rows else functions)
            policy = cls(str(told["basis"]), coefficients, np.array(told["scales"], np.float64), float(told["value"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"it is no exercise policy: {error!r}") from error
        if policy.coefficients.shape[1] != functions or policy.scales.shape != (len(rows),):
            raise ValueError(
                f"it has {policy.coefficients.shape[1]} coefficients on {len(rows)} dates and {policy.scales.size} scales, "
                f"but there should be {functions}, and one scale a date"
            )
        for at, scale in enumerate(policy.scales.tolist(), 1):
            if not 0 < scale < math.inf:
                raise ValueError(f"on date {at} it has the scale {scale:g}, but scales are finite and above 0")
        for at, (row, known) in enumerate(zip(coefficients, np.isfinite(coefficients), strict=True), 1):
            if not known.all() and not np.isnan(row).all():
                raise ValueError(f"on date {at} it has the coefficients {row.tolist()}, but they are finite, or all null")
        return policy


class Decisions:
    """A policy at work: which paths exercise.

    Elementwise, so that a path is dealt with in the same way in whatever company.

    Args:
        policy: to follow.
        basis: its functions.
        dtype: of the states.
    """

    def __init__(self, policy: Policy, basis: Basis, dtype: npt.DTypeLike = np.float64) -> None:
        if basis.name != policy.basis:
            raise ValueError(f"the policy is of the functions {policy.basis!r}, but these are {basis.name!r}")
        self._basis, self._dtype = basis, np.dtype(dtype)
        self._coefficients = [
            unscaled(basis, row, scale, self._dtype) for row, scale in zip(policy.coefficients, policy.scales, strict=True)
        ]
        self._rooms: dict[int, _Room] = {}

    def __call__(self, states: Floats, date: int, out: Flags) -> None:
        """Write which of the paths, (rows, paths), exercise on a date before the last."""
        room = self._valued(states, date)
        np.maximum(room.going_on, 0, out=room.going_on)
        np.greater(room.features[0], room.going_on, out=out)

    def going_on(self, states: Floats, date: int) -> Floats:
        """What going on is thought to be worth, in strikes on the date, (paths,); nan if not known. Valid until the next call."""
        return self._valued(states, date).going_on

    def _valued(self, states: Floats, date: int) -> _Room:
        paths = states.shape[1]
        room = self._rooms.get(paths) or self._rooms.setdefault(paths, _Room(self._basis, paths, self._dtype))
        self._basis.features(states, room.features)
        self._basis.polynomials.value(self._coefficients[date], room.features, room.going_on, room.scratch)
        return room


class _Room:
    """For so many paths at a time; made once, for new memory costs more than what is done in it."""

    def __init__(self, basis: Basis, paths: int, dtype: npt.DTypeLike) -> None:
        self.features = np.empty((basis.rows, paths), dtype)
        self.going_on = np.empty(paths, dtype)
        self.scratch = np.empty((basis.polynomials.registers, paths), dtype)


def unscaled(basis: Basis, coefficients: Reals, scale: float, dtype: npt.DTypeLike) -> list[Any]:
    """Coefficients of the features themselves, for `Polynomials.value`: numpy scalars of the features' type."""
    degrees = [sum(powers) for powers in basis.polynomials.exponents]
    return list((coefficients / scale ** np.array(degrees)).astype(dtype))
