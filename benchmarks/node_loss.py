"""How long a lost node goes unnoticed: one that is killed, and one that is frozen, against mpirun over sshd."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from batchhpc.agent.contract import event_time, parse_event_line
from batchhpc.local.processes import below, end_tree
from benchmarks import jobs, ssh
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate, scratch
from benchmarks.report import run

NODES, LOST = 4, 2
BEAT = 0.5  # seconds between two heartbeats of the agents
STAY = 50.0  # seconds that ranks sleep: longer than any loss takes to be noticed
GOAL = Goal("wall", 3.0)
BOUND = 20.0  # seconds after which the peer counts as not having noticed
LOSSES = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
PEER = "mpirun over sshd" if ssh.available() else "mpirun over a stand-in for ssh"


def strike(root: int, number: signal.Signals) -> float:
    """Sends a signal to all of a node, from the top, so that nothing is left to report the rest; gives when."""
    time.sleep(random.uniform(0, BEAT))  # noqa: S311 - anywhere between two heartbeats
    start = time.time()
    for pid in [root, *below(root)]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return start


def with_agents(mpi: Mpi, number: signal.Signals) -> tuple[Sample, Sample]:
    """Until the main agent says `node_lost`, and until it has exited."""
    agent = ranks = 0
    text = []
    noticed: float | None = None
    with scratch() as directory, jobs.submitted(mpi, NODES, STAY, directory) as job:
        start = 0.0
        for line in job.logs(follow=True):
            text.append(line.text)
            event = parse_event_line(line.text) or {"event": ""}
            if event["event"] == "agent_started" and line.node == LOST:
                agent = int(event["pid"])
            elif event["event"] == "node_lost" and line.node == 0:
                noticed = event_time(line.text) - start
            ranks += len(jobs.passed(line.text))
            if ranks == NODES and not start:
                start = strike(agent, number)
        ended = job.wait(jobs.LONGEST).nodes[0].stopped_at
    if noticed is None or ended is None:
        raise RuntimeError("\n".join(["the job ended without noticing the lost node:", *text]))
    return waited(noticed), waited(ended - start)


def waited(wall: float) -> Sample:
    """Time in which nearly nothing is computed: CPU time would be below what the kernel tells of it."""
    return Sample(wall, math.nan)


def without_agents(mpi: Mpi, number: signal.Signals) -> Sample:
    """Until mpirun has exited."""
    nodes = ssh.ssh_nodes if ssh.available() else ssh.stand_in_nodes
    ranks = 0
    with scratch() as directory, nodes(NODES, directory) as there, (directory / "errors").open("w") as errors:
        argv = mpi.argv(there.hosts, 1, there.rsh, directory, STAY)
        with subprocess.Popen(
            argv, env=mpi.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as mpirun:
            assert mpirun.stdout
            try:
                with jobs.bounded(mpirun, jobs.LONGEST):
                    while ranks < NODES and (line := mpirun.stdout.readline()):
                        ranks += len(jobs.passed(line))
                if ranks < NODES:
                    raise RuntimeError(f"mpirun ended early: {(directory / 'errors').read_text()}")
                start = strike(there.root(LOST), number)
                with suppress(subprocess.TimeoutExpired):
                    mpirun.wait(BOUND)
                return waited(time.time() - start if mpirun.returncode is not None else math.inf)
            finally:
                end_tree(mpirun.pid)


def measure(options: Options) -> list[Row]:
    mpi = Mpi.find(options)
    rows = []
    for loss, number in LOSSES.items():
        ours: Callable[[], tuple[Sample, Sample]] = partial(with_agents, mpi, number)
        samples, theirs = alternate(ours, partial(without_agents, mpi, number), options.repeats)
        rows.append(Row(f"{loss}: noticed", [noticed for noticed, _ in samples], PEER, theirs, GOAL))
        rows.append(Row(f"{loss}: main agent gone", [gone for _, gone in samples], PEER, theirs, GOAL))
    return rows


BENCHMARK = Benchmark("node_loss", measure, 3, lambda options: {**jobs.versions(options), **ssh.version(), "bound": f"{BOUND:g} s"})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
