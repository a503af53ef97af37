"""Figures from the tail alone: the bits of a run that values everything, whatever the book, the ranks and the interruptions."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from examples.risk.market import tail
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.tail import measure, tail_count
from examples.risk.market.valuation import Valuation
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.restart import Restart
from tests.unit.risk.market.books import HORIZON, StudentScenarios, hedged, random_book
from tests.unit.workload.thread_ranks import run_ranks

BLOCKS = 16
BOOKS = {
    "directional": random_book(5, 40),
    "hedged": hedged(random_book(5, 40)),
    "without an index": random_book(5, 40, index=False),
    "shares alone": random_book(5, 0),
}


def scenarios_of(book):
    return StudentScenarios(book.factors, index=book.moves_volatility)


@cache
def brute(name):
    """The figures if all is valued."""
    return measure(Alone(), BOOKS[name], scenarios_of(BOOKS[name]), BLOCKS, brute_force=True)


def bits(losses):
    """Every number that must not depend on how it was found."""
    figures = [
        (each.level, each.value_at_risk, each.interval, each.expected_shortfall, each.components.tobytes())
        for each in losses.measures
    ]
    return figures, losses.scenarios, losses.value, losses.worst.tobytes(), losses.worst_moves.tobytes()


def all_bits(losses):
    """And those that depend on the plan: screening and histogram."""
    return bits(losses), losses.screening, losses.edges.tobytes(), losses.counts.tobytes()


@pytest.mark.parametrize("name", BOOKS)
def test_the_tail_alone_has_the_bits_of_everything(name):
    """Value at risk, intervals, shortfall, components and the worst scenarios are equal, from a fifth of the valuations."""
    found = measure(Alone(), BOOKS[name], scenarios_of(BOOKS[name]), BLOCKS)
    assert bits(found) == bits(brute(name))
    assert found.screening.proved
    assert not found.screening.reason
    assert found.screening.revalued < 0.2 * found.scenarios
    assert found.counts.sum() == found.scenarios
    assert brute(name).screening.reason == "asked for"
    assert brute(name).screening.revalued == found.scenarios


def test_figures_are_those_of_the_sorted_losses():
    """Against numpy on all losses in one array, drawn and valued anew."""
    book, found = BOOKS["directional"], brute("directional")
    scenarios, valuation = scenarios_of(book), Valuation(book)
    moves = np.concatenate([scenarios.fill(each, np.empty((6, BLOCK), np.float32)) for each in range(BLOCKS)], axis=1)
    profits = valuation(moves)
    losses = -profits.sum(axis=0)
    ordered = np.sort(losses)[::-1]
    for each in found.measures:
        k = tail_count(each.level, len(losses))
        beyond = losses >= ordered[k - 1] * (1 - 1e-12)
        mean = losses[beyond].mean()
        error = math.sqrt((losses[beyond].var() + each.level * (mean - ordered[k - 1]) ** 2) / k)
        assert each.value_at_risk == pytest.approx(ordered[k - 1], rel=1e-13)
        assert each.expected_shortfall.value == pytest.approx(mean, rel=1e-13)
        assert each.expected_shortfall.error == pytest.approx(error, rel=1e-6)
        np.testing.assert_allclose(each.components, -profits[:, beyond].mean(axis=1), rtol=1e-10)
        assert each.components.sum() == pytest.approx(mean, rel=1e-12)
        assert each.interval[0] < each.value_at_risk < each.interval[1]
    np.testing.assert_allclose(found.worst, ordered[:100], rtol=1e-13)
    np.testing.assert_array_equal(found.worst_moves, moves[:, np.argsort(-losses)[:100]])
    np.testing.assert_array_equal(found.counts[1:-1], np.histogram(-profits.sum(axis=0).astype(np.float32), found.edges)[0][1:-1])


@pytest.mark.parametrize("size", [2, 3])
def test_bits_do_not_depend_on_the_ranks(size):
    """Not those of the figures, nor of what is told of how they were found."""
    book = BOOKS["hedged"]
    expected = all_bits(measure(Alone(), book, scenarios_of(book), BLOCKS))
    for found in run_ranks(size, lambda comm: measure(comm, book, scenarios_of(book), BLOCKS)):
        assert all_bits(found) == expected


class Counting:
    """A communicator that notes how many bytes each call takes from this rank."""

    def __init__(self, comm: Any) -> None:
        self._comm, self.rank, self.size, self.sent = comm, comm.rank, comm.size, list[int]()

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        self.sent.append(sendbuf.nbytes)
        self._comm.Allreduce(sendbuf, recvbuf)

    def allgather(self, sendobj: Any, /) -> list[Any]:
        self.sent.append(len(pickle.dumps(sendobj)))
        return self._comm.allgather(sendobj)  # type: ignore[no-any-return]

    def bcast(self, obj: Any, /) -> Any:
        self.sent.append(len(pickle.dumps(obj)))
        return self._comm.bcast(obj)


def test_little_is_sent():
    """For 20 underlyings at most 12 messages and 200 kB a rank, as many for twice the scenarios."""
    book = random_book(20, 40)

    def program(comm):
        counting: Any = Counting(comm)
        counts = []
        for blocks in (8, 16):
            counting.sent = []
            measure(counting, book, scenarios_of(book), blocks)
            counts.append(counting.sent)
        return counts

    for few, many in run_ranks(2, program):
        assert len(few) == len(many) <= 12
        assert max(sum(few), sum(many)) <= 200_000


class Misleading(StudentScenarios):
    """The pilot's scenarios are wilder than all that follow."""

    drawn = 0

    def fill(self, block, out):
        self.drawn += 1
        moves = super().fill(block, out)
        return moves if block < 8 else np.multiply(moves, np.float32(0.3), out=moves)


def test_a_pilot_that_misleads_changes_nothing():
    """Thresholds that turn out to be too high are found out in the end, and lower ones taken: the figures are right."""
    book = BOOKS["directional"]
    scenarios = Misleading(6)
    found = measure(Alone(), book, scenarios, 36)
    assert scenarios.drawn > 2 * 36
    assert bits(found) == bits(measure(Alone(), book, Misleading(6), 36, brute_force=True))


def test_without_a_proof_everything_is_valued():
    """An option that all but expires at the horizon has no bound: the figures say so, and are those of full revaluation."""
    book = BOOKS["directional"]
    options = replace(book.options, expiry=np.where(book.options.underlying == 1, HORIZON + 1e-6, book.options.expiry))
    found = measure(Alone(), replace(book, options=options), scenarios_of(book), 4)
    assert found.screening.revalued == found.scenarios
    assert found.screening.orders == (0, 0)
    assert found.screening.reason == "no bound of a screen's error can be proved at a useful price for the options on S1"


def test_short_options_are_screened_over_a_narrower_range():
    """What expires a day after the horizon has a bound up to some standard deviations: what moves further is valued."""
    book = BOOKS["directional"]
    short = replace(book, options=replace(book.options, expiry=book.options.expiry - 20 / 252))
    found = measure(Alone(), short, scenarios_of(book), BLOCKS)
    assert not found.screening.reason
    assert found.screening.revalued < 0.3 * found.scenarios
    assert bits(found) == bits(measure(Alone(), short, scenarios_of(book), BLOCKS, brute_force=True))


def test_a_linear_book_has_the_closed_form():
    """Shares of one stock whose log-return is a t: the quantile is that of the t, within its interval."""
    book = replace(random_book(1, 0, index=False), shares=np.array([2.0]))
    found = measure(Alone(), book, StudentScenarios(1, index=False), 64)
    for each in found.measures:
        drop = float(student.ppf(1 - each.level, 4)) * 0.055 * math.sqrt(0.5)
        loss = -2 * float(book.spots[0]) * math.expm1(drop)
        low, high = each.interval
        assert low - (high - low) / 2 < loss < high + (high - low) / 2  # three standard deviations


class Stopped(Exception):
    """The node is gone."""


class Stopping(StudentScenarios):
    """Scenarios of a node that is gone after some blocks."""

    left = 10**9

    def fill(self, block, out):
        if not self.left:
            raise Stopped
        self.left -= 1
        return super().fill(block, out)


@pytest.mark.parametrize("sizes", [(2, 3, 1), (1, 2)])
def test_a_run_that_was_killed_goes_on_with_other_ranks(sizes, tmp_path, monkeypatch):
    """Killed on one number of ranks and resumed on another, even twice, it has the bits of a run that nobody disturbed."""
    monkeypatch.setattr(tail, "_ROUND", 2)
    book = BOOKS["hedged"]
    expected = all_bits(measure(Alone(), book, scenarios_of(book), 24))

    def program(blocks, comm):
        scenarios = Stopping(book.factors)
        scenarios.left = blocks
        with Restart(comm, CheckpointPlan(str(tmp_path), 0.0), "tail", {"book": "hedged"}, tail.VERSION) as restart:
            found = measure(comm, book, scenarios, 24, restart=restart)
        return found, blocks - scenarios.left

    for number, size in enumerate(sizes[:-1]):
        pilot = 0 if number else 2 + 8 // size  # blocks; it is not done again
        with pytest.raises(Stopped):
            run_ranks(size, partial(program, pilot + 5))
    last = run_ranks(sizes[-1], partial(program, 10**9))
    assert [all_bits(found) for found, _ in last] == [expected] * sizes[-1]
    assert sum(drawn - 1 for _, drawn in last) < 24, "what was done before is not done again"


def test_scenarios_that_do_not_fit():
    """Too few scenarios for a level, and other factors than the book's, are refused before anything is drawn."""
    book = BOOKS["directional"]
    with pytest.raises(ValueError, match=r"4096 scenarios have none beyond the level of 0.9999: at least 10000 are needed"):
        measure(Alone(), book, scenarios_of(book), 1, levels=(0.99, 0.9999))
    with pytest.raises(ValueError, match="scenarios have 4 factors, but the book depends on 6"):
        measure(Alone(), book, StudentScenarios(4), 1)


def test_a_move_that_is_no_number_is_told():
    """It belongs into no tail, so the run ends."""

    class Broken(StudentScenarios):
        def fill(self, block, out):
            moves = super().fill(block, out)
            moves[2, 7] = np.nan if block == 5 else moves[2, 7]
            return moves

    with pytest.raises(FloatingPointError, match="a scenario moves factor 3 by nan, where it has no price"):
        measure(Alone(), BOOKS["directional"], Broken(6), 8)


def test_tail_counts_are_exact():
    """Places beyond a level, n (1 - level), are rounded down, though 1 - level is rounded."""
    assert [tail_count(level, 4096 * 1000) for level in (0.95, 0.975, 0.99, 0.999)] == [204_800, 102_400, 40_960, 4096]
    assert tail_count(0.95, 19) == 0
