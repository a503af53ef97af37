"""What each underlying adds to expected shortfall: at the margin, and all of it.

Sources: Tasche (1999), "Risk contributions and performance measurement", for components and margins (Euler); Jorion, "Value at
risk" (2007), chapter 7, for the three words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress
from examples.risk.market.book import Book
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.scenarios import Scenarios
from examples.risk.market.tail import measure
from examples.risk.market.valuation import value_today
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Incremental:
    """(underlyings,) each.

    Attributes:
        shortfall: expected shortfall of the book without the underlying, in the same scenarios.
        change: what the underlying adds: expected shortfall of the book less that; negative for a hedge.
        error_at_most: of the change: the sum of both standard errors, which no correlation of the two can exceed.
    """

    shortfall: Reals
    change: Reals
    error_at_most: Reals


def marginal(book: Book, losses: Losses) -> Reals:
    """Growth of expected shortfall for one more of money in an underlying's positions, in proportion, (underlyings,).

    That is component / value, for shortfall grows with all positions alike; nan where the positions are worth nothing.
    """
    worth = value_today(book)
    result: Reals = np.full(len(worth), np.nan)
    return np.divide(losses.at(ES_LEVEL).components, worth, out=result, where=worth != 0)


def incremental(comm: Communicator, book: Book, scenarios: Scenarios, blocks: int, losses: Losses) -> Incremental:
    """Find the tail of the book without each underlying, in the same scenarios; collective, as many runs of `tail.measure`.

    Args:
        comm: the ranks.
        book: what is held.
        scenarios: as ``losses`` were found with.
        blocks: as many.
        losses: of the whole book.
    """
    whole = losses.at(ES_LEVEL).expected_shortfall
    shortfall, error = np.empty(len(book.names)), np.empty(len(book.names))
    with Progress(len(book.names), "books without one underlying", comm) as progress:
        for underlying in range(len(book.names)):
            found = measure(comm, book.without(underlying), scenarios, blocks, levels=(ES_LEVEL,)).at(ES_LEVEL).expected_shortfall
            shortfall[underlying], error[underlying] = found.value, found.error
            progress.advance(1)
    return Incremental(shortfall, whole.value - shortfall, whole.error + error)
