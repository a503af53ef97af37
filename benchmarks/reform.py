"""How soon a gang runs again after it has lost a node, against a multi-node job of ours, which starts anew as a whole.

Then the leader alone, with up to 1,000 simulated children of one process: from the loss of one of them to the next launch.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.agent.contract import event_time, parse_event_line
from batchhpc.agent.session import ChildSession, Message, job_key
from batchhpc.agent.transport import Heartbeat, Link, connect
from batchhpc.local import Fault
from batchhpc.local.faults import FaultKind
from batchhpc.spec import Capacity
from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate, cpu_of_all, scratch
from benchmarks.rendezvous import LONGEST, LOST_AFTER, SECRET, line_with, serving
from benchmarks.report import run
from benchmarks.ssh import addresses

NODES = 4
STRIKE = 2.0  # seconds after its start that a node's host is gone
STAY = 4.0  # seconds that ranks stay: past the strike, and no longer than they must
LOSSES = {"a child": 2, "the leader": 0}
CHILDREN = (64, 256, 1000)
JOB = "benchmark"


def lose(mpi: Mpi, capacity: Capacity, node: int) -> tuple[Sample, Sample]:
    """From the end of a node's host to who notices it first, and to the last rank past its barrier again."""
    struck, noticed, stamps = 0.0, math.inf, []
    text = []
    with (
        scratch() as directory,
        jobs.submitted(mpi, NODES, STAY, directory, capacity=capacity, faults=[Fault(FaultKind.KILL, node, STRIKE)]) as job,
    ):
        for line in job.logs(follow=True):
            text.append(line.text)
            event = parse_event_line(line.text) or {"event": ""}
            if event["event"] in ("node_lost", "leader_lost"):
                noticed = min(noticed, event_time(line.text))
            stamps += jobs.passed(line.text)
            if len(stamps) == NODES and not struck:
                began = job.status().nodes[node if capacity is Capacity.SPOT else 0].started_at  # faults count from there
                assert began
                struck = began + STRIKE
    if len(stamps) < 2 * NODES:
        raise RuntimeError("\n".join(["the ranks did not run again:", *text]))
    return Sample(noticed - struck, math.nan), Sample(max(stamps) - struck, math.nan)


def lead(children: int) -> Sample:
    """From the loss of one child's link, its replacement being there, to the next launch; CPU of both sides."""
    with scratch() as directory:
        hosts = addresses(children + 1)
        (directory / "records").mkdir()
        env = {
            **os.environ,
            "TMPDIR": str(directory),
            contract.JOB_ID: f"{JOB}:0",
            contract.JOB_ATTEMPT: "1",
            contract.ARRAY_INDEX: "0",
            contract.ARRAY_SIZE: str(children + 1),
            contract.NODE_ADDRESS: hosts[0],
            contract.METADATA_ENDPOINT: f"http://{hosts[0]}:9",  # nobody there
            contract.LAUNCHER: "none",
            contract.RANKS_PER_NODE: "1",
            contract.CPUS_PER_RANK: "1",
            contract.FABRIC: "ena",
            contract.STOP_GRACE: "1",
            contract.LOST_AFTER: str(LOST_AFTER),
            contract.SECRET: SECRET,
            contract.RECORDS: str(directory / "records"),
            contract.MIN_NODES: str(children + 1),
            **dict.fromkeys((contract.JOIN_TIMEOUT, contract.MIN_NODES_AFTER), str(LONGEST)),
            **dict.fromkeys((contract.REFORM_TIMEOUT, contract.TIME_LIMIT), str(LONGEST)),
        }
        argv = [sys.executable, "-m", "batchhpc.agent", "--", "sleep", str(LONGEST)]
        with serving(argv, directory, "event=leader_claimed", env) as (_, log):
            return asyncio.run(_lead(hosts, log))


async def _lead(hosts: list[str], log: Path) -> Sample:
    lost: list[str] = []
    heartbeat = Heartbeat(LOST_AFTER, lambda _: lost.append("silent"))
    key = job_key(SECRET, JOB, 0)

    def told(link: Link, message: Message) -> None:
        if message["type"] == "kill":  # a child without ranks is ready at once
            link.send({"type": "ranks_gone", "generation": message["generation"]})

    async def child(node: int, attempt: int = 1) -> Link:
        about = {"hostname": "child", "ranks": 1, "attempt": attempt, "address": hosts[node]}
        session = ChildSession(key, secrets.token_hex(16), node, about)
        link = await connect(hosts[0], contract.PORT, hosts[node], session, told, lambda _, error: lost.append(str(error)))
        heartbeat.links.add(link)
        return link

    async with asyncio.timeout(LONGEST):
        links = await asyncio.gather(*(child(node) for node in range(1, len(hosts))))
        await _logged(log, " generation=1 nodes=")
        cpu, start = cpu_of_all(), time.time()
        heartbeat.links.discard(links[0])
        links[0].abort()
        await child(1, attempt=2)
        line = await _logged(log, " generation=2 nodes=")
    sample = Sample(event_time(line) - start, cpu_of_all() - cpu)
    if lost:
        raise RuntimeError(f"{len(lost)} links broke, the first: {lost[0]}")
    for link in heartbeat.links:
        link.abort()
    return sample


async def _logged(log: Path, text: str) -> str:
    """The line that holds a text, once it is there."""
    while not (line := line_with(log, text)):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.01)
    return line


def echo(children: int) -> Sample:
    """The least there could be: a line to each of as many connections, and back."""
    with scratch() as directory:
        hosts = addresses(children + 1)
        program = Path(__file__).parent / "programs" / "echo.py"
        with serving([sys.executable, str(program), hosts[0], str(contract.PORT)], directory, "listening", dict(os.environ)):
            return asyncio.run(_echo(hosts))


async def _echo(hosts: list[str]) -> Sample:
    ends = await asyncio.gather(*(asyncio.open_connection(hosts[0], contract.PORT, local_addr=(host, 0)) for host in hosts[1:]))
    line = json.dumps({"type": "kill", "why": "lost node 1 (link closed)", "generation": 2}).encode() + b"\n"
    cpu, start = cpu_of_all(), time.time()
    for _, writer in ends:
        writer.write(line)
    await asyncio.gather(*(reader.readline() for reader, _ in ends))
    sample = Sample(time.time() - start, cpu_of_all() - cpu)
    for _, writer in ends:
        writer.close()
    return sample


def measure(options: Options) -> list[Row]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the leader inherits it
    mpi = Mpi.find(options)
    rows = []
    for loss, node in LOSSES.items():
        ours: Callable[[], tuple[Sample, Sample]] = partial(lose, mpi, Capacity.SPOT, node)
        theirs: Callable[[], tuple[Sample, Sample]] = partial(lose, mpi, Capacity.ON_DEMAND, node)
        gang, whole = alternate(ours, theirs, options.repeats)
        peer = "multinode job, started anew"
        rows.append(Row(f"{loss} lost: noticed", [one for one, _ in gang], peer, [one for one, _ in whole], Goal("wall", 2.0)))
        rows.append(
            Row(f"{loss} lost: ranks run again", [two for _, two in gang], peer, [two for _, two in whole], Goal("wall", 5.0))
        )
    for children in CHILDREN:
        mine, bare = alternate(partial(lead, children), partial(echo, children), options.repeats)
        goal = Goal("wall", 2.0) if children == max(CHILDREN) else None
        rows.append(Row(f"{children} children re-form", mine, "a line to each and back", bare, goal))
    return rows


BENCHMARK = Benchmark("reform", measure, 5, jobs.versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
