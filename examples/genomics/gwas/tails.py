"""Tails of the distributions that P values come from, as natural logarithms, so that none is too small."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
MEDIAN_CHI2 = 0.454936423119572  # of one degree of freedom
_SMALLEST = 1e-300  # of a P value whose quantile is asked for
_TERMS, _PRECISION = 1000, 1e-13  # rounding keeps some of many from coming nearer: 5 times slower with 1e-15
_FAR = 25.0  # standard deviations from which the asymptotic series of the normal tail is exact to 1e-11


def t_log_p(t: Reals, freedom: Reals) -> Reals:
    """Logarithm of the two-sided P value of Student's t, (n,) each.

    The regularized incomplete beta function I_x(df/2, 1/2) at x = df / (df + t^2), by its continued fraction.
    """
    t, freedom = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(freedom, np.float64))
    a = freedom / 2
    square = t * t
    x, rest = freedom / (freedom + square), square / (freedom + square)  # x + rest = 1, both without cancellation
    known, index = np.unique(freedom, return_inverse=True)
    log_beta = np.array([math.lgamma(df / 2) + math.lgamma(0.5) - math.lgamma(df / 2 + 0.5) for df in known.tolist()])
    with np.errstate(divide="ignore"):
        front = -a * np.log1p(square / freedom) + 0.5 * np.log(rest) - log_beta[index.reshape(a.shape)]
    result = np.empty(t.shape)
    small = x < (a + 1) / (a + 2.5)  # the fraction converges fast on this side; on the other by symmetry
    result[small] = front[small] + np.log(_beta_fraction(a[small], 0.5, x[small]) / a[small])
    other = ~small
    result[other] = np.log1p(-2 * np.exp(front[other]) * _beta_fraction(np.float64(0.5), a[other], rest[other]))
    return result


def _beta_fraction(a: Reals | np.float64, b: Reals | float, x: Reals) -> Reals:
    """Continued fraction of the incomplete beta function, by Lentz's method (Thompson and Barnett 1986).

    Its denominators need no guard against 0: for one half and any degrees of freedom they are above 1 / df.
    """
    c = np.ones(x.shape)
    d = 1 / (1 - (a + b) * x / (a + 1))
    fraction = d.copy()
    for m in range(1, _TERMS):
        for term in (m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))):
            scaled = term * x
            d = 1 / (1 + scaled * d)
            c = 1 + scaled / c
            change = c * d
            fraction *= change
        if (np.abs(change - 1) < _PRECISION).all():
            break
    return fraction


def normal_log_p(z: Reals) -> Reals:
    """Logarithm of the two-sided P value of a standard normal, (n,)."""
    size = np.abs(np.asarray(z, np.float64))
    near = np.fromiter(map(math.erfc, np.minimum(size, _FAR).ravel() / math.sqrt(2)), np.float64, size.size).reshape(size.shape)
    distant = np.maximum(size, _FAR)
    inverse = 1 / (distant * distant)
    series = np.log1p(-inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse))))
    far = -distant * distant / 2 - np.log(distant * math.sqrt(math.pi / 2)) + series
    return np.where(size < _FAR, np.log(near), far)


def inflation(log_p: Reals) -> float:
    """Genomic control's lambda: chi-square of the median P value over the expected one (Devlin and Roeder 1999); nan of none."""
    known = log_p[~np.isnan(log_p)]
    if not len(known):
        return math.nan
    median = math.exp(float(np.median(known)))
    return NormalDist().inv_cdf(max(median / 2, _SMALLEST)) ** 2 / MEDIAN_CHI2
