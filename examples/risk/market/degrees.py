"""Degrees of freedom of a multivariate t, by maximum likelihood from the daily changes of a window."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from examples.risk.market.elliptical import LEAST_DEGREES
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]
MOST_DEGREES = 200.0  # a t of that many is as good as normal
_STEP = 0.02  # of 1 / nu, relatively, for the likelihood's curvature


def at_limit(degrees: float) -> bool:
    """Whether a fit ended where it may not go on, so that its error tells nothing: 2.5 or 200 within a thousandth."""
    return degrees > 0.999 * MOST_DEGREES or degrees < 1.001 * LEAST_DEGREES


def log_likelihood(distances: Reals, factors: int, degrees: float) -> float:
    """Of a multivariate t whose covariance is C, but for terms without nu.

    With d factors and distances q = (x - m)' C^-1 (x - m), the scale matrix is (nu - 2) / nu C, so each day has
    log Gamma((nu + d) / 2) - log Gamma(nu / 2) - d / 2 log(nu - 2) - (nu + d) / 2 log(1 + q / (nu - 2)).
    """
    both = (degrees + factors) / 2
    constant = gammaln(both) - gammaln(degrees / 2) - factors / 2 * math.log(degrees - 2)
    return float(len(distances) * constant - both * np.log1p(distances / (degrees - 2)).sum())


def fit_degrees(changes: Reals) -> Estimate:
    """The most likely degrees of freedom, with the error that the likelihood's curvature tells.

    The covariance is the sample's, as in the scenarios. Changes of days are fitted although the horizon may have many: sums over
    days that had nothing to do with one another would have thinner tails, but volatility comes in clusters, so this errs on the
    safe side.

    Args:
        changes: daily, (days, factors).
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - takes a fifth of a second, and few runs need it

    factors = changes.shape[1]
    centred = changes - changes.mean(axis=0)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(centred, rowvar=False)))
    distances = np.square(np.linalg.solve(root, centred.T)).sum(axis=0)

    def loss(inverse: float) -> float:
        return -log_likelihood(distances, factors, 1 / inverse)

    # 1 / nu is what the likelihood is nearly quadratic in
    found = float(minimize_scalar(loss, bounds=(1 / MOST_DEGREES, 1 / LEAST_DEGREES), method="bounded", options={"xatol": 1e-9}).x)
    step = _STEP * found
    curvature = (loss(found + step) - 2 * loss(found) + loss(found - step)) / step**2
    error = math.sqrt(1 / curvature) / found**2 if curvature > 0 else math.nan
    return Estimate(1 / found, error)
