"""The loop of a job's thread: files, moments, orders."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from batchhpc.local.loop import Loop, Orders


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_moments_come_in_their_order_and_once(loop: Loop) -> None:
    """What is due is done in the order of time, then of setting, one a step, and what was cancelled is not done at all."""
    done: list[str] = []
    for name, seconds in (("second", 0.0), ("cancelled", 0.0), ("third", 0.0), ("first", -1.0)):
        timer = loop.after(seconds, lambda name=name: done.append(name))  # type: ignore[misc]
        if name == "cancelled":
            timer.cancel()
    for _ in range(3):
        loop.step()
    assert done == ["first", "second", "third"]
    timer.cancel()


def test_a_file_that_an_earlier_event_closed_is_left_alone(loop: Loop) -> None:
    """Of two files that are readable at one moment, one may close the other, and its number may be another file's by then."""
    done: list[str] = []
    pipes = [os.pipe() for _ in range(2)]

    def close_other(which: int) -> None:
        done.append(f"read {which}")
        for reader, _ in pipes:
            loop.unwatch(reader)

    for which, (reader, writer) in enumerate(pipes):
        os.write(writer, b"x")
        loop.watch(reader, lambda which=which: close_other(which))  # type: ignore[misc]
    loop.step()
    assert len(done) == 1
    assert not any(loop.watches(reader) for reader, _ in pipes)
    for pipe in pipes:
        for end in pipe:
            os.close(end)


def test_files_are_not_kept_waiting_by_moments(loop: Loop) -> None:
    """However many moments have passed, a file that can be read has its turn after one of them."""
    done: list[str] = []
    reader, writer = os.pipe()
    os.write(writer, b"x")

    def read() -> None:
        done.append("file")
        loop.unwatch(reader)

    for _ in range(5):
        loop.after(0.0, lambda: done.append("moment"))
    loop.watch(reader, read)
    for _ in range(5):
        loop.step()
    assert done.index("file") <= 1
    assert done.count("moment") == 5
    os.close(reader)
    os.close(writer)


def test_orders_wake_and_are_taken_once(loop: Loop) -> None:
    """Orders make their file readable until they are taken; the job's first reason is kept, a child's is not the job's."""
    orders, taken = Orders(), []
    loop.watch(orders, lambda: taken.append(orders.take()))
    orders.stop("child", 2)
    orders.stop("first")
    orders.stop("second", at_once=True)
    loop.step()
    assert taken == [[("child", 2), ("first", None), ("second", None)]]
    assert (orders.stop_reason, orders.at_once) == ("first", True)
    assert not orders.take()
    loop.unwatch(orders)
    orders.close()
    orders.close()
