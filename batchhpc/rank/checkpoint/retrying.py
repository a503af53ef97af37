"""Trying again until a deadline: pauses that grow, each a random part of its length lest a thousand ranks come at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
FIRST_PAUSE: Final = 0.1  # seconds; doubled each time
LONGEST_PAUSE: Final = 10.0


def keep_trying(
    attempt: Callable[[], T],
    passes: Callable[[Exception], bool],
    deadline: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The result of the first attempt that does not raise.

    Args:
        attempt: what to do.
        passes: whether an exception may be gone next time; any other is raised at once.
        deadline: seconds after which no new attempt is made, and the last exception is raised.
        clock: seconds that never go back.
        sleep: waits so many seconds.
    """
    until, pause = clock() + deadline, FIRST_PAUSE
    while True:
        try:
            return attempt()
        except Exception as error:
            wait = pause * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
            if not passes(error) or clock() + wait >= until:
                raise
        sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)
