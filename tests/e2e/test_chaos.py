"""A few of the runs of ``make chaos``, so that none of it is forgotten."""

import pytest

from tests.e2e.chaos import one


@pytest.mark.parametrize("seed", [1004, 1009])
def test_a_gang_under_chaos_ends_right(seed):
    """It succeeds with the bits of the undisturbed run, or fails for a stated reason in time, and leaves nothing."""
    assert one(seed).wrong == []
