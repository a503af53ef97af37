"""Slopes and curvatures of a book's loss in its risk factors, by differences over moves of one standard deviation.

A position depends on its own underlying and on the volatility index only, so nine scenarios that move all underlyings at once give
every slope and curvature, and the matrix of curvatures has its diagonal and the index's row and column only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from examples.risk.market.book import Book

Reals = npt.NDArray[np.float64]
Valuation = Callable[[Reals], Reals]
"""P&L by underlying, (underlyings, m), of moves (factors, m)."""


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """The loss is slope' x + x' curvature x / 2, nearly, for moves x.

    Attributes:
        slope: (factors,).
        curvature: (factors, factors).
    """

    slope: Reals
    curvature: Reals


def sensitivities(book: Book, valuation: Valuation, scale: Reals) -> Sensitivities:
    """Central differences of the book's loss.

    Args:
        book: what is held.
        valuation: of it.
        scale: the step of each factor, (factors,): its standard deviation, since the loss in the tail is what is asked for.
    """
    names, moved = len(book.names), book.moves_volatility
    moves = np.zeros((book.factors, 9))
    for at, (x, v) in enumerate(product((-1, 0, 1), repeat=2)):
        moves[:names, at] = x * scale[:names]
        if moved:
            moves[names:, at] = v * scale[names:]
    loss = -valuation(moves).reshape(names, 3, 3)  # by underlying, own move, index's move
    own, index = scale[:names], scale[-1]
    slope, curvature = np.zeros(book.factors), np.zeros((book.factors, book.factors))
    slope[:names] = (loss[:, 2, 1] - loss[:, 0, 1]) / (2 * own)
    np.fill_diagonal(curvature[:names, :names], (loss[:, 2, 1] - 2 * loss[:, 1, 1] + loss[:, 0, 1]) / own**2)
    if moved:
        slope[-1] = ((loss[:, 1, 2] - loss[:, 1, 0]) / (2 * index)).sum()
        cross = (loss[:, 2, 2] - loss[:, 2, 0] - loss[:, 0, 2] + loss[:, 0, 0]) / (4 * own * index)
        curvature[:names, -1] = curvature[-1, :names] = cross
        curvature[-1, -1] = ((loss[:, 1, 2] - 2 * loss[:, 1, 1] + loss[:, 1, 0]) / index**2).sum()
    return Sensitivities(slope, curvature)
