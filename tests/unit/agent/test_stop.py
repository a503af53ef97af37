"""What a SIGTERM is taken for."""

import pytest

from batchhpc.agent.events import StopRequested
from batchhpc.agent.stop import Stop


@pytest.mark.parametrize(
    ("time_limit", "final", "request_"),
    [
        (3600, False, StopRequested(2, "spot-reclaim", 25, final=False)),
        (3600, True, StopRequested(2, "spot-reclaim", 25, final=False, leaving=True)),
        (1, True, StopRequested(2, "time limit", 25, final=True)),
        (1, False, StopRequested(2, "spot-reclaim", 25, final=False)),
    ],
)
def test_only_the_clock_tells_a_time_limit_from_a_host_that_goes(time_limit, final, request_):
    """A SIGTERM at the time limit ends the job, one before it this node, and a notice nothing yet."""
    assert Stop(2, time_limit).request("spot-reclaim", 25, final=final) == request_
