"""Revaluing a book of options in every scenario, as people write it: losses, (scenarios,), of moves (factors, scenarios).

These price only; scenarios are given to them. All compute the same: C or P of Black and Scholes at the horizon, volatilities moved
with the index, less today's value.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import norm

from benchmarks.measure import Missing
from benchmarks.peers import quantlib
from examples.risk.market.book import Book
from examples.risk.market.valuation import value_today

Reals = npt.NDArray[np.float64]
Losses = Callable[[npt.NDArray[np.floating]], Reals]


def plain(book: Book) -> Losses:
    """Numpy on whole arrays (options, scenarios), and ``scipy.stats.norm``: what a notebook has."""
    return _numpy(book, norm.cdf)


def blocked(book: Book, scenarios: int = 64) -> Losses:
    """The same with ``scipy.special.ndtr``, for so few scenarios at a time that arrays stay in a core's cache."""
    some = _numpy(book, ndtr)

    def losses(moves: npt.NDArray[np.floating]) -> Reals:
        return np.concatenate([some(moves[:, start : start + scenarios]) for start in range(0, moves.shape[1], scenarios)])

    return losses


def _numpy(book: Book, cdf: Any) -> Losses:
    held, today = book.options, float(value_today(book).sum())
    left = (held.expiry - book.horizon)[:, None]
    root, strikes, signs, quantities = np.sqrt(left), held.strike[:, None], held.sign[:, None], held.quantity
    discounted = strikes * np.exp(-book.rate * left)
    damping, index = book.damping()[:, None], -1 if book.moves_volatility else 0

    def losses(moves: npt.NDArray[np.floating]) -> Reals:
        moves = moves.astype(np.float64)
        spots = book.spots[:, None] * np.exp(moves[: len(book.spots)])
        spot = spots[held.underlying]
        deviation = held.volatility[:, None] * np.exp(damping * moves[index]) * root
        d1 = np.log(spot / discounted) / deviation + 0.5 * deviation
        d2 = d1 - deviation
        values = signs * (spot * cdf(signs * d1) - discounted * cdf(signs * d2))
        return np.asarray(today - quantities @ values - book.shares @ spots)

    return losses


def quantlib_loop(book: Book) -> Losses:
    """``QuantLib.blackFormula`` for each option in each scenario."""
    quantlib.library()
    held, today = book.options, float(value_today(book).sum())
    left = held.expiry - book.horizon
    discounts, damping, index = np.exp(-book.rate * left), book.damping(), -1 if book.moves_volatility else 0

    def losses(moves: npt.NDArray[np.floating]) -> Reals:
        moves = moves.astype(np.float64)
        spots = book.spots * np.exp(moves[: len(book.spots)].T)
        forwards = spots[:, held.underlying] / discounts
        deviations = held.volatility * np.sqrt(left) * np.exp(damping * moves[index][:, None])
        values = np.array(quantlib.black_values(forwards, deviations, held.strike, held.sign))
        return np.asarray(today - values @ (held.quantity * discounts) - spots @ book.shares)

    return losses


def jax_on_one_core() -> Any:
    """JAX on the CPU with one thread and float64 where asked for.

    Raises:
        Missing: it is not installed.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # its threads are as many as there are cores when it begins
    try:
        jax: Any = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        jax.numpy.zeros(1).block_until_ready()
    except ImportError:
        raise Missing("needs JAX: pip install jax") from None
    finally:
        os.sched_setaffinity(0, cores)
    return jax


def jax_compiled(book: Book, dtype: type[np.floating]) -> Losses:
    """The formula under ``jax.jit``: XLA makes one loop of it. Compiled on the first call; give every call as many scenarios."""
    jax = jax_on_one_core()
    jnp, cdf = jax.numpy, jax.scipy.special.ndtr
    held, today = book.options, float(value_today(book).sum())
    left = held.expiry - book.horizon
    index = -1 if book.moves_volatility else 0
    discounted = held.strike * np.exp(-book.rate * left)

    def single(values: npt.ArrayLike) -> Any:
        return jnp.asarray(np.asarray(values), dtype=dtype)

    spots, shares, quantities = single(book.spots[:, None]), single(book.shares), single(held.quantity)
    logs = single(np.log(book.spots[held.underlying] / discounted)[:, None])
    strikes, signs, damping = (single(each[:, None]) for each in (discounted, held.sign, book.damping()))
    deviations = single((held.volatility * np.sqrt(left))[:, None])
    underlying = jnp.asarray(held.underlying)

    def formula(moves: Any) -> Any:
        grown = spots * jnp.exp(moves[: len(book.spots)])
        deviation = deviations * jnp.exp(damping * moves[index])
        d1 = (logs + moves[underlying]) / deviation + dtype(0.5) * deviation
        d2 = d1 - deviation
        values = signs * (grown[underlying] * cdf(signs * d1) - strikes * cdf(signs * d2))
        return dtype(today) - quantities @ values - shares @ grown

    compiled = jax.jit(formula)
    return lambda moves: np.asarray(compiled(jnp.asarray(moves, dtype=dtype)).block_until_ready())
