"""European options under Heston's model (1993), by one integral of the characteristic function.

The integral is Lewis's ("Option valuation under stochastic volatility", 2000, chapter 2): on the line Im z = -1/2 its integrand has
no pole and falls fastest. The function is written so that its logarithm stays on one branch ("The little Heston trap", Albrecher,
Mayer, Schoutens and Tistaert 2007). Spots, strikes and prices are in one currency; rates and yields are per year.
"""

from __future__ import annotations

import cmath
import math

from scipy.integrate import quad


def value(
    spot: float,
    strike: float,
    rate: float,
    dividend: float,
    variance: float,
    kappa: float,
    theta: float,
    xi: float,
    rho: float,
    time: float,
    sign: int,
) -> float:
    """Price of a call (sign 1) or a put (sign -1); see `examples.risk.american.model.Heston` for what moves the variance."""
    forward, discount = spot * math.exp((rate - dividend) * time), math.exp(-rate * time)
    moneyness = math.log(forward / strike)

    def integrand(u: float) -> float:
        wave = cmath.exp(1j * u * moneyness + log_characteristic(complex(u, -0.5), variance, kappa, theta, xi, rho, time))
        return wave.real / (u * u + 0.25)

    integral = quad(integrand, 0, math.inf, epsabs=1e-12, epsrel=1e-10, limit=1000)[0]
    call = discount * (forward - math.sqrt(forward * strike) / math.pi * integral)
    return float(call if sign > 0 else call - discount * (forward - strike))


def log_characteristic(z: complex, variance: float, kappa: float, theta: float, xi: float, rho: float, time: float) -> complex:
    """The logarithm of E exp(i z X), X = ln(S / forward) after a time."""
    b = kappa - 1j * rho * xi * z
    d = cmath.sqrt(b * b + xi * xi * (z * z + 1j * z))
    g = (b - d) / (b + d)
    fading = cmath.exp(-d * time)
    level = kappa * theta / xi**2 * ((b - d) * time - 2 * cmath.log((1 - g * fading) / (1 - g)))
    return level + variance * (b - d) / xi**2 * (1 - fading) / (1 - g * fading)
