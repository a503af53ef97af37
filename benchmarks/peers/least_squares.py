"""The put of Longstaff and Schwartz (2001) as a textbook has it: all paths kept, one regression a date on those in the money."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.revaluation import jax_on_one_core

SPOT, STRIKE, RATE, VOLATILITY, YEARS, DATES, DEGREE = 36.0, 40.0, 0.06, 0.2, 1.0, 50, 3
Price = Callable[[int, int], float]  # of so many paths from a seed


def textbook(paths: int, seed: int) -> float:
    """In numpy: ``cumsum`` of normals, ``polyfit``, and the mean of what is paid."""
    step = YEARS / DATES
    normals = np.random.default_rng(seed).standard_normal((DATES, paths))
    moves = (RATE - 0.5 * VOLATILITY**2) * step + VOLATILITY * math.sqrt(step) * normals
    spots = SPOT * np.exp(np.cumsum(moves, axis=0))
    payoffs = np.maximum(STRIKE - spots, 0)
    discount = math.exp(-RATE * step)
    values = payoffs[-1]
    for date in range(DATES - 2, -1, -1):
        values = values * discount
        inside = payoffs[date] > 0
        coefficients = np.polyfit(spots[date, inside], values[inside], DEGREE)
        going_on = np.polyval(coefficients, spots[date, inside])
        exercise = payoffs[date, inside]
        values[inside] = np.where(exercise > going_on, exercise, values[inside])
    return float(values.mean() * discount)


def jax_compiled(dtype: type[np.floating]) -> Price:
    """The same by JAX: one ``jit``, ``scan`` over the dates, normal equations with a mask; compiled for each number of paths."""
    jax = jax_on_one_core()
    jnp = jax.numpy
    step = YEARS / DATES
    discount = dtype(math.exp(-RATE * step))

    def earlier(values: Any, spots: Any) -> tuple[Any, None]:
        values = values * discount
        exercise = dtype(1) - spots
        inside = (exercise > 0).astype(dtype)
        powers = jnp.stack([inside, inside * exercise, inside * exercise**2, inside * exercise**3])
        scales = 1 / jnp.sqrt(jnp.sum(powers * powers, axis=1) + dtype(1e-30))
        powers = powers * scales[:, None]
        coefficients = jnp.linalg.lstsq(powers @ powers.T, powers @ values)[0]
        going_on = jnp.maximum(coefficients @ powers, 0)
        return jnp.where(exercise > going_on, exercise, values), None

    def price(key: Any, paths: int) -> Any:
        normals = jax.random.normal(key, (DATES, paths), dtype=dtype)
        moves = dtype((RATE - 0.5 * VOLATILITY**2) * step) + dtype(VOLATILITY * math.sqrt(step)) * normals
        spots = dtype(SPOT / STRIKE) * jnp.exp(jnp.cumsum(moves, axis=0))
        values, _ = jax.lax.scan(earlier, jnp.maximum(dtype(1) - spots[-1], 0), spots[:-1], reverse=True)
        return STRIKE * discount * jnp.mean(values)

    compiled = jax.jit(price, static_argnums=1)
    return lambda paths, seed: float(compiled(jax.random.key(seed, impl="unsafe_rbg"), paths))
