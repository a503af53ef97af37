"""When to exercise: if that is worth more than a polynomial of the state says that going on is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the sweep found.

    Attributes:
        basis: name of the functions of the state; see `basis`.
        coefficients: of the value of going on, in strikes at the date itself, (dates - 1, functions); a row of nan where too few
            paths were in the money: nobody exercises then. On the last date one exercises whatever is worth anything.
        scales: by which each date's functions are scaled, (dates - 1,).
        value: the sweep's own estimate of going on today, in strikes; biased, and no bound.
    """

    basis: str
    coefficients: Reals
    scales: Reals
    value: float
