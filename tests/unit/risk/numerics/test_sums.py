from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from batchhpc.rank import block_range
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.grid_sums import GridSums
from examples.workload.communicator import Alone, Communicator
from tests.unit.workload.thread_ranks import run_ranks

BLOCKS, COUNT = 60, 7


def parts() -> np.ndarray:
    """Sums of blocks of very different size."""
    rng = np.random.default_rng(2)
    return rng.standard_normal((BLOCKS, COUNT)) * 10.0 ** rng.integers(-6, 6, (BLOCKS, COUNT))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_same_bits_on_any_number_of_ranks(size: int) -> None:
    """Blocks may be added one by one or together, in any order, on any number of ranks."""
    alone = GridSums(COUNT, 1e8, BLOCKS)
    alone.add(parts()[::-1])

    def program(comm: Communicator) -> bytes:
        sums = GridSums(COUNT, 1e8, BLOCKS)
        for block in block_range(BLOCKS, comm.rank, comm.size, 1):
            sums.add(parts()[block])
        return sums.reduce(comm).tobytes()

    assert set(run_ranks(size, program)) == {alone.reduce(Alone()).tobytes()}


def test_the_error_is_what_it_is_said_to_be() -> None:
    """Against sums of fractions: at most largest * 2**-103 * blocks**2, and the last rounding."""
    sums = GridSums(COUNT, 1e8, BLOCKS)
    sums.add(parts())
    for found, column in zip(sums.reduce(Alone()).tolist(), parts().T, strict=True):
        exact = sum(map(Fraction, column.tolist()), Fraction(0))
        assert abs(Fraction(found) - exact) <= Fraction(1e8) * BLOCKS**2 / 2**103 + abs(exact) / 2**53


@pytest.mark.parametrize("part", [1.01e8, float("nan"), float("-inf")])
def test_a_part_beyond_the_bound_is_refused(part: float) -> None:
    """Neither a number that is too large nor one that is none is added."""
    sums = GridSums(2, 1e8, BLOCKS)
    with pytest.raises(OverflowError, match=r"beyond the bound of 1e\+08"):
        sums.add(np.array([1.0, part]))
    assert not sums.state.any()


def test_an_estimate_of_sums_is_the_mean_and_its_error() -> None:
    """As numpy's mean, and its unbiased deviation over the root of the number."""
    draws = np.random.default_rng(3).standard_normal(1000) + 5
    made = Estimate.of_sums(float(draws.sum()), float((draws**2).sum()), 1000)
    assert made.value == pytest.approx(draws.mean(), rel=1e-12)
    assert made.error == pytest.approx(draws.std(ddof=1) / 1000**0.5, rel=1e-9)
    again = Estimate.of_replicates(draws)
    assert Estimate(0.0, 1.0, 1).interval()[1] == pytest.approx(12.706, abs=1e-3)  # Student's t of two draws
    assert (again.value, again.error) == pytest.approx((made.value, made.error), rel=1e-9)


def test_an_interval_is_two_errors_wide_each_way() -> None:
    """95 % of a normal error: 1.96 standard errors on either side; one that is not known is null in JSON."""
    low, high = Estimate(10.0, 0.5).interval()
    assert (low, high) == pytest.approx((10 - 0.979982, 10 + 0.979982), abs=1e-6)
    assert Estimate(10.0, 0.5).told()["interval_95"] == [low, high]
    assert Estimate(10.0, float("nan")).told() == {"value": 10.0, "standard_error": None, "interval_95": None}
