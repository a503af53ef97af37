"""A figure and its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

LEVEL = 0.95  # of an interval, where nothing else is said


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of draws.

    Attributes:
        value: the figure.
        error: its standard error; nan if none is known.
        degrees: of freedom of the error, if few draws told it: its intervals are Student's.
    """

    value: float
    error: float
    degrees: float = math.inf

    @classmethod
    def of_sums(cls, total: float, squares: float, count: int) -> Estimate:
        """From the sums of independent draws and of their squares."""
        mean = total / count
        variance = max(0.0, squares / count - mean * mean) * count / max(1, count - 1)
        return cls(mean, math.sqrt(variance / count))

    @classmethod
    def of_replicates(cls, values: ArrayLike) -> Estimate:
        """From independent estimates of the same figure, such as those of independent scrambles."""
        numbers = np.asarray(values, np.float64)
        return cls(float(numbers.mean()), float(numbers.std(ddof=1) / math.sqrt(len(numbers))), len(numbers) - 1)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Where the true figure is with this probability, if draws are normal."""
        upper = 0.5 + level / 2
        quantile = NormalDist().inv_cdf(upper) if math.isinf(self.degrees) else float(stdtrit(self.degrees, upper))
        reach = quantile * self.error
        return self.value - reach, self.value + reach

    def told(self) -> dict[str, float | list[float] | None]:
        """For JSON, which has no nan."""
        if math.isnan(self.error):
            return {"value": self.value, "standard_error": None, "interval_95": None}
        return {"value": self.value, "standard_error": self.error, "interval_95": list(self.interval())}
