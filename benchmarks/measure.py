"""What every benchmark shares: what a row of a report is, measuring in turns, and CPU time of all processes.

A benchmark gives rows; a row holds this project's samples and a named peer's, of the same work, taken in turns in one run.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from batchhpc.local.processes import below

T = TypeVar("T")
U = TypeVar("U")
_END_TIME = 5.0  # seconds
_LIBC, _SET_CHILD_SUBREAPER = ctypes.CDLL(None), 36
_TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """What a benchmark needs and this machine does not have; says how to get it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of wall clock (nan: not measured; inf: not within the bound) and of CPU time, user and system; what else counts."""

    wall: float
    cpu: float
    counts: Mapping[str, float] = field(default_factory=dict)

    def value(self, of: str) -> float:
        """One of them by its name: ``wall``, ``cpu``, or that of a count; nan if it was not measured."""
        return self.wall if of == "wall" else self.cpu if of == "cpu" else self.counts.get(of, math.nan)


@dataclass(frozen=True, slots=True)
class Goal:
    """``of``: this project's ``wall`` or ``cpu`` seconds, or a count, or ``wall more``: seconds it takes more than the peer."""

    of: str
    limit: float


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work, measured both ways."""

    work: str
    ours: Sequence[Sample]
    peer: str
    theirs: Sequence[Sample]
    goal: Goal | None = None

    @property
    def figure(self) -> float | None:
        """What the goal is about, as measured."""
        if self.goal is None:
            return None
        if self.goal.of == "wall more":
            return middle(self.ours, "wall") - middle(self.theirs, "wall")
        return middle(self.ours, self.goal.of)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; ``mpi``: directory of mpirun and python3, the interpreter's own if None."""

    repeats: int
    mpi: Path | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``run`` measures; ``versions`` tells what took part besides Python and this project."""

    name: str
    run: Callable[[Options], list[Row]]
    repeats: int
    versions: Callable[[Options], Mapping[str, str]] = field(default=lambda _: {})


def middle(samples: Sequence[Sample], of: str) -> float:
    """The median."""
    return statistics.median(sample.value(of) for sample in samples)


def alternate(ours: Callable[[], T], theirs: Callable[[], U], repeats: int) -> tuple[list[T], list[U]]:
    """A B A B ...: whatever else the machine does meanwhile meets both."""
    pairs = [(_alone(ours), _alone(theirs)) for _ in range(repeats)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def in_turns(works: Mapping[str, Callable[[], Sample]], repeats: int) -> dict[str, list[Sample]]:
    """A B C A B C ...: several works in this process, by name."""
    found: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            found[name].append(work())
    return found


def per(unit: str, amount: float, work: Callable[[], object]) -> Sample:
    """One call in this process; ``unit``, as in "us a scenario" or "ns a path-step", becomes a count: CPU time by the amount."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    scale = {"us": 1e6, "ns": 1e9}[unit.split(maxsplit=1)[0]]
    return Sample(wall, cpu, {unit: cpu / amount * scale})


def _alone(work: Callable[[], T]) -> T:
    """Adopts what the work leaves without a parent, so that its CPU time counts, and ends it before the next begins."""
    _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        return work()
    finally:
        deadline = time.monotonic() + _END_TIME
        while (left := below(os.getpid())) and time.monotonic() < deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.005)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of the ended children it has waited for."""
    try:
        tasks = sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        fields = _stat(pid)
    except (OSError, IndexError):
        return 0.0
    ticks = [int(text) / _TICKS for text in fields[11:15]]  # its own, finer among its tasks if none has ended; its children's
    return max(tasks / 1e9, sum(ticks[:2])) + sum(ticks[2:])


def cpu_of_all() -> float:
    """CPU seconds used so far by this process and everything it started; to about 0.01 s per process."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    children: dict[int, list[int]] = {}  # zombies too: nobody has taken their time yet
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_stat(int(path.name))[1]), []).append(int(path.name))
    todo, found = [os.getpid()], 0.0
    while todo:
        next_ones = children.get(todo.pop(), [])
        todo += next_ones
        found += sum(map(cpu_of, next_ones))
    return own + found


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; the name before it may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def timed(argv: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = 60.0) -> Sample:
    """A whole run of a program that must succeed; its output is shown only if it does not."""
    cpu, start = cpu_of_all(), time.perf_counter()
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Sample(wall, cpu_of_all() - cpu)


def whole(argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Sample:
    """A whole run that must succeed: CPU time of all its processes, and as ``MB`` (2**20 bytes) the peak memory of its largest.

    A process begins with the peak of the one that started it, so small ones are measured while this one is small.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}:\n{said}")
    return Sample(time.perf_counter() - start, used.ru_utime + used.ru_stime, {"MB": used.ru_maxrss / 1024})


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for one measurement; its path is short, for sockets live there."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
