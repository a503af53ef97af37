from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.american.moments import Moments
from examples.workload.communicator import Alone
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

Reals = npt.NDArray[np.float64]


def _block(number: int, draws: int = 64) -> Reals:
    """Ones, two controls, and a figure of mean 2 that is three times the first and a little noise."""
    rows = np.random.default_rng(number).standard_normal((4, draws))
    rows[0] = 1
    rows[3] = 2 + 3 * rows[1] + 0.01 * rows[3]
    return rows


def _summed(blocks: range, groups: int, *, replicates: bool = False) -> Moments:
    moments = Moments(groups, [2], replicates=replicates)
    for block in blocks:
        moments.add(block % groups, [_block(block)])
    return moments


def test_controls_take_away_what_they_explain() -> None:
    """The coefficients are those of least squares, and the error is that of the rest."""
    moments = _summed(range(32), 4)
    moments.reduce(Alone())
    found = moments.estimate(0)
    assert found.coefficients == pytest.approx((3, 0), abs=1e-3)
    assert found.value.error == pytest.approx(0.01 / np.sqrt(32 * 64), rel=0.1)
    assert found.plain.error == pytest.approx(np.sqrt(9.0001) / np.sqrt(32 * 64), rel=0.1)
    assert abs(found.value.value - 2) < 4 * found.value.error


@pytest.mark.parametrize("replicates", [False, True])
def test_errors_are_those_that_repetition_shows(replicates: bool) -> None:
    """Over 400 estimates of 8 x 16 draws the mean square of (estimate - truth) / error is that of a normal, or of Student's t."""
    deviations = []
    for repetition in range(400):
        moments = Moments(8, [2], replicates=replicates)
        for group in range(8):
            moments.add(group, [_block(1000 * repetition + group, 16)])
        moments.reduce(Alone())
        found = moments.estimate(0).value
        deviations.append((found.value - 2) / found.error)
    expected = 7 / 5 if replicates else 1.0  # the variance of t with 7 degrees of freedom
    assert np.mean(np.square(deviations)) == pytest.approx(expected, rel=0.25)
    assert abs(np.mean(deviations)) < 0.2


def test_the_first_groups_are_an_estimate() -> None:
    """As many groups as are asked for, from the first on, give what they alone would."""
    whole, part = _summed(range(8), 8), Moments(2, [2], replicates=False)
    for block in range(2):
        part.add(block, [_block(block)])
    whole.reduce(Alone())
    part.reduce(Alone())
    assert whole.estimate(0, 2).value == part.estimate(0).value


def test_ranks_and_checkpoints_do_not_show() -> None:
    """Any sharing out of blocks, and any state taken from a checkpoint, gives the same bits."""
    alone = _summed(range(12), 4)
    alone.reduce(Alone())

    def program(comm: ThreadComm) -> object:
        moments = Moments(4, [2], replicates=False)
        if comm.rank == 0:
            moments.take(np.concatenate([_summed(range(3), 4).state(), _summed(range(3, 5), 4).state()]))
        for block in range(5 + comm.rank, 12, comm.size):
            moments.add(block % 4, [_block(block)])
        moments.reduce(comm)
        return moments.estimate(0)

    assert set(run_ranks(3, program)) == {alone.estimate(0)}


def test_useless_controls_do_no_harm() -> None:
    """A control that is nothing, or the copy of another, leaves the estimate finite and as exact."""
    moments = Moments(4, [3], replicates=False)
    for block in range(16):
        rows = _block(block)
        moments.add(block % 4, [np.stack((rows[0], rows[1], rows[1], np.zeros(64), rows[3]))])
    moments.reduce(Alone())
    assert moments.estimate(0).value.error == pytest.approx(0.01 / np.sqrt(16 * 64), rel=0.1)


def test_few_draws_do_without_controls() -> None:
    """Fewer than ten draws a control would be fitted, not explained: the plain mean is taken."""
    moments = Moments(2, [2], replicates=False)
    for group in range(2):
        moments.add(group, [_block(group, 19)])
    moments.reduce(Alone())
    found = moments.estimate(0)
    assert found.value == found.plain
    assert found.coefficients == (0, 0)
