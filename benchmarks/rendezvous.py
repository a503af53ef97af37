"""How fast children join a real main agent, and what their heartbeats cost it, against a TCP server that echoes a line.

The children are simulated in this process, each with the agent's own session and link, from an address of its own.
"""

from __future__ import annotations

import asyncio
import math
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.agent.contract import event_time
from batchhpc.agent.session import ChildSession, job_key
from batchhpc.agent.transport import BEATS, Heartbeat, Link, connect
from batchhpc.local.processes import end_tree
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate, cpu_of, cpu_of_all, scratch
from benchmarks.report import run
from benchmarks.ssh import addresses

CHILDREN = (64, 256, 1000)
LONGEST = 60.0  # seconds that a main node may take
LOST_AFTER = 2.0  # seconds, as job specs have it
SETTLE, WINDOW = 1.5, 4.0  # seconds before heartbeats are watched, and for how long
SECRET, JOB = secrets.token_hex(32), "benchmark"


def join(children: int) -> tuple[Sample, Sample]:
    """From the first connection to `launching`, CPU of both sides; and the main agent's CPU per second after that."""
    with scratch() as directory:
        hosts = addresses(children + 1)
        env = {
            **os.environ,
            "TMPDIR": str(directory),
            contract.JOB_ID: JOB,
            contract.JOB_ATTEMPT: "1",
            contract.NODE_INDEX: "0",
            contract.NUM_NODES: str(children + 1),
            contract.MAIN_NODE_INDEX: "0",
            contract.NODE_ADDRESS: hosts[0],
            contract.METADATA_ENDPOINT: f"http://{hosts[0]}:9",  # nobody there
            contract.LAUNCHER: "none",
            contract.RANKS_PER_NODE: "1",
            contract.CPUS_PER_RANK: "1",
            contract.FABRIC: "ena",
            contract.JOIN_TIMEOUT: str(LONGEST),
            contract.LOST_AFTER: str(LOST_AFTER),
            contract.STOP_GRACE: "1",
            contract.SECRET: SECRET,
        }
        argv = [sys.executable, "-m", "batchhpc.agent", "--", "sleep", str(LONGEST)]
        with serving(argv, directory, "event=waiting_for_nodes", env) as (main, log):
            return asyncio.run(_join(main, hosts, log))


async def _join(main: int, hosts: list[str], log: Path) -> tuple[Sample, Sample]:
    lost: list[str] = []
    heartbeat = Heartbeat(LOST_AFTER, lambda _: lost.append("silent"))
    key = job_key(SECRET, JOB, 1)
    about = {"hostname": "child", "ranks": 1}

    async def child(node: int) -> None:
        session = ChildSession(key, secrets.token_hex(16), node, about)
        closed: Callable[[Link, Exception | None], None] = lambda _, error: lost.append(f"link closed: {error}")  # noqa: E731
        link = await connect(hosts[0], contract.PORT, hosts[node], session, lambda *_: None, closed)
        heartbeat.links.add(link)

    cpu, start = cpu_of_all(), time.time()
    async with asyncio.timeout(LONGEST):
        await asyncio.gather(*(child(node) for node in range(1, len(hosts))))
        while not (line := line_with(log, "event=launching")):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    joined = Sample(event_time(line) - start, cpu_of_all() - cpu)
    beating = asyncio.create_task(heartbeat.run())
    steady = await per_second(main)
    beating.cancel()
    if lost:
        raise RuntimeError(f"{len(lost)} links broke, the first: {lost[0]}")
    for link in heartbeat.links:
        link.abort()
    return joined, steady


def echo(children: int) -> tuple[Sample, Sample]:
    """As many connections, a line there and back on each, and then one again at every heartbeat."""
    with scratch() as directory:
        hosts = addresses(children + 1)
        program = Path(__file__).parent / "programs" / "echo.py"
        argv = [sys.executable, str(program), hosts[0], str(contract.PORT)]
        with serving(argv, directory, "listening", dict(os.environ)) as (server, _):
            return asyncio.run(_echo(server, hosts))


class _Caller(asyncio.Protocol):
    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def data_received(self, _: bytes) -> None:
        self.answered.set()


async def _echo(server: int, hosts: list[str]) -> tuple[Sample, Sample]:
    loop = asyncio.get_running_loop()
    transports: list[asyncio.Transport] = []

    async def call(host: str) -> None:
        transport, caller = await loop.create_connection(_Caller, hosts[0], contract.PORT, local_addr=(host, 0))
        transport.write(b"hello\n")
        await caller.answered.wait()
        transports.append(transport)

    async def beat() -> None:
        while True:
            await asyncio.sleep(LOST_AFTER / BEATS)
            for transport in transports:
                transport.write(b"beat\n")

    cpu, start = cpu_of_all(), time.time()
    async with asyncio.timeout(LONGEST):
        await asyncio.gather(*map(call, hosts[1:]))
    called = Sample(time.time() - start, cpu_of_all() - cpu)
    beating = asyncio.create_task(beat())
    steady = await per_second(server)
    beating.cancel()
    for transport in transports:
        transport.abort()
    return called, steady


async def per_second(pid: int) -> Sample:
    """CPU seconds of a process per second, once it has settled."""
    await asyncio.sleep(SETTLE)
    cpu, start = cpu_of(pid), time.perf_counter()
    await asyncio.sleep(WINDOW)
    return Sample(math.nan, (cpu_of(pid) - cpu) / (time.perf_counter() - start))


@contextmanager
def serving(argv: list[str], directory: Path, ready: str, env: dict[str, str]) -> Iterator[tuple[int, Path]]:
    """Starts a server, waits until it says so, and ends it; gives its process and its output."""
    log = directory / "log"
    with log.open("w") as output:
        server = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + LONGEST
        while not line_with(log, ready):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not serve: {' '.join(argv)}\n{log.read_text()}")
            time.sleep(0.02)
        yield server.pid, log
    finally:
        end_tree(server.pid)
        server.wait()


def line_with(log: Path, text: str) -> str:
    """The first whole line that holds a text; nothing if there is none yet."""
    *lines, _ = log.read_text().split("\n")
    return next((line for line in lines if text in line), "")


def measure(options: Options) -> list[Row]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the servers inherit it
    rows = []
    for children in CHILDREN:
        ours: Callable[[], tuple[Sample, Sample]] = partial(join, children)
        theirs: Callable[[], tuple[Sample, Sample]] = partial(echo, children)
        mine, bare = alternate(ours, theirs, options.repeats)
        goal = Goal("wall", 1.0) if children == max(CHILDREN) else None
        rows.append(Row(f"{children} children join", [one for one, _ in mine], "accept and echo", [one for one, _ in bare], goal))
        beats = f"{children} children: main's CPU per second"
        rows.append(Row(beats, [two for _, two in mine], "echo at each beat", [two for _, two in bare]))
    return rows


BENCHMARK = Benchmark("rendezvous", measure, 3)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
