"""What a checkpoint costs: its throughput against numpy.save to the same disk, and how long the computing thread waits for it.

Both sides end with fsync of the file and of its directory, and begin with nothing left to write back. Ours also computes the
checksums, writes description and journal entry, and removes older checkpoints.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from batchhpc.rank import Checkpoint
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate, cpu_of_all, middle, scratch
from benchmarks.report import run

MEGABYTES = 512
ARRAYS = 4
EVERY = 10.0  # seconds of computing for one checkpoint
SHARE = "% of the peer's time"  # by medians; 125 are 0.8 of its throughput
STALL, BLOCKED = "% stalled", "% in save"  # of EVERY
THROUGHPUT, STALLED = Goal(SHARE, 125.0), Goal(STALL, 2.0)
COUNTS = {SHARE: math.nan, STALL: math.nan, BLOCKED: math.nan}
PEER = "numpy.save and fsync"

State = dict[str, np.ndarray[Any, Any]]


def state() -> State:
    numbers = MEGABYTES * 1_000_000 // 8 // ARRAYS
    return {f"array{at}": np.random.default_rng(at).random(numbers) for at in range(ARRAYS)}


@contextmanager
def checkpoints() -> Iterator[Checkpoint]:
    """At a place of its own; two saves have been made, as in any program but for its first minutes."""
    with scratch() as directory, Checkpoint(directory, inputs={}, version="1", environ={}) as checkpoint:
        yield checkpoint


def measured(work: Callable[[], None]) -> Sample:
    os.sync()
    cpu, start = cpu_of_all(), time.perf_counter()
    work()
    return Sample(time.perf_counter() - start, cpu_of_all() - cpu, COUNTS)


def save(checkpoint: Checkpoint, arrays: State) -> None:
    checkpoint.save(1, arrays, wait=True)


def numpy_save(directory: Path, arrays: State) -> None:
    """As a program does it by itself that wants to keep what it has written: a new file, renamed."""
    for name, array in arrays.items():
        with (directory / f"{name}.new").open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
        (directory / f"{name}.new").rename(directory / f"{name}.npy")
    handle = os.open(directory, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def load(checkpoint: Checkpoint) -> None:
    if checkpoint.load() is None:
        raise RuntimeError("nothing was saved")


def numpy_load(directory: Path) -> None:
    for path in sorted(directory.glob("*.npy")):
        np.load(path)


def compute(seconds: float, checkpoint: Checkpoint | None, directory: Path | None, arrays: State) -> Sample:
    """Computes for so long, with one checkpoint meanwhile; the ``wall`` is how long the computing thread was held up by it.

    That is the time in which the call did not return, and how much slower than before it the steps went while it was written
    behind them. Where no processor is idle, the latter is the processor time that the writing takes (`cpu s` of the first row).
    """
    os.sync()
    values = np.linspace(0, 1, 20_000)
    steps: list[float] = []
    cpu, start = cpu_of_all(), time.perf_counter()
    blocked = 0.0
    saved_at = -1
    while (now := time.perf_counter()) - start < seconds:
        if saved_at < 0 and now - start > seconds / 4:
            saved_at = len(steps)
            if checkpoint:
                checkpoint.save(1, arrays)
            elif directory:
                numpy_save(directory, arrays)
            blocked = time.perf_counter() - now
            now += blocked
        np.sin(values)
        if saved_at < 0 or any(thread.name == "checkpoint" for thread in threading.enumerate()):
            steps.append(time.perf_counter() - now)
    before, meanwhile = steps[:saved_at], steps[saved_at:]
    slower = sum(meanwhile) - len(meanwhile) * sum(before) / len(before)
    lost = blocked + max(slower, 0.0)
    return Sample(lost, cpu_of_all() - cpu, {**COUNTS, STALL: 100 * lost / seconds, BLOCKED: 100 * blocked / seconds})


def measure(options: Options) -> list[Row]:
    arrays = state()
    rows = []
    with checkpoints() as checkpoint, scratch() as directory:
        for _ in range(2):  # the block for the copy, and files of the sizes to come
            save(checkpoint, arrays)
            numpy_save(directory, arrays)
        written: tuple[Callable[[], None], Callable[[], None]] = (
            partial(save, checkpoint, arrays),
            partial(numpy_save, directory, arrays),
        )
        read: tuple[Callable[[], None], Callable[[], None]] = (partial(load, checkpoint), partial(numpy_load, directory))
        for what, (ours, theirs), goal in (("written, durable", written, THROUGHPUT), ("read, verified", read, None)):
            samples, others = alternate(partial(measured, ours), partial(measured, theirs), options.repeats)
            median = middle(others, "wall")
            rated = [replace(sample, counts={**COUNTS, SHARE: 100 * sample.wall / median}) for sample in samples]
            rows.append(Row(f"{MEGABYTES} MB {what}", rated, PEER if goal else "numpy.load", others, goal))
        stalls = alternate(
            partial(compute, EVERY, checkpoint, None, arrays), partial(compute, EVERY, None, directory, arrays), options.repeats
        )
        rows.append(Row(f"{MEGABYTES} MB while computing: stall", stalls[0], PEER, stalls[1], STALLED))
    return rows


BENCHMARK = Benchmark("checkpoint", measure, 5, lambda _: {"numpy": np.__version__})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
