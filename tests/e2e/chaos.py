"""Gangs whose nodes are reclaimed at random, by seed: ``python -m tests.e2e.chaos --runs 200 --seed 0`` (``make chaos``).

Each run is drawn from its seed: how many nodes, how many are enough, how often nodes are reclaimed, whether they are told,
how long replacements take, how often each is tried. It must end within its deadlines: succeeded, with the bits of the
undisturbed run, or failed for a reason that is stated. No process, port or file may be left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from batchhpc import JobSpec, JobState, LocalRunner, compile_job
from batchhpc.agent import contract
from batchhpc.agent.contract import parse_event_line
from batchhpc.agent.leftovers import DIRECTORY, PREFIXES, TOPOLOGIES, used
from batchhpc.errors import WaitTimeout
from batchhpc.jobs import JobStatus, LogLine
from batchhpc.local import Chaos
from batchhpc.spec import Environment
from tests.e2e.chaos_program import undisturbed
from tests.e2e.local_jobs import processes_of

PROGRAM = Path(__file__).with_name("chaos_program.py")
SPOT = Environment(capacity="spot", stop_grace="1s")
WAIT, PATIENCE = 6.0, 120.0  # seconds that a gang waits for its nodes, and that a run may take in all
STEPS, PAUSE = 60, 0.03
# How a node ends that is not tried again: lost, told to stop, or told so before its agent ran; the first two, out of attempts.
GONE = (None, contract.EXIT_INFRASTRUCTURE, contract.EXIT_STOPPED)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one run is like."""

    seed: int
    nodes: int
    min_nodes: int
    attempts: int
    chaos: Chaos

    @classmethod
    def of(cls, seed: int) -> Draw:
        chance = random.Random(seed)  # noqa: S311 - to be drawn again
        nodes = chance.choice((2, 3, 3, 4))
        return cls(
            seed,
            nodes,
            min_nodes=chance.choice((nodes, max(1, nodes - 1))),
            attempts=chance.choice((2, 6, 10)),
            chaos=Chaos(
                rate=chance.choice((0.3, 0.8, 1.5)),
                seed=seed,
                notice=chance.choice((None, 0.5)),
                shutdown=chance.choice((None, None, 0.2)),
                replacement=chance.choice((0.0, 0.3, 2.0)),
            ),
        )

    def spec(self, directory: Path) -> JobSpec:
        words = [directory / "checkpoints", directory / "result", STEPS, PAUSE]
        return JobSpec(
            name="chaos",
            image="none",
            command=["python3", "-m", "mpi4py", str(PROGRAM), *map(str, words)],
            nodes=self.nodes,
            min_nodes=self.min_nodes,
            min_nodes_after="1s",
            attempts=self.attempts,
            join_timeout=f"{WAIT:g}s",
            reform_timeout=f"{WAIT:g}s",
            lost_after="3s",
            memory_per_node="1 GiB",
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )


@dataclass(slots=True)
class Ended:
    """How a run ended; ``wrong`` is what must not have been."""

    draw: Draw
    status: JobStatus
    seconds: float
    generations: int
    reclaims: int
    reasons: list[str]
    addresses: set[str]
    wrong: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        how = f"{self.status.state} after {self.seconds:.1f} s, {self.reclaims} reclaims, {self.generations} generations"
        gone = [f"node {node.index} is out of attempts" for node in self.status.nodes if node.exit_code is None]
        why = "" if self.status.state is JobState.SUCCEEDED else f" ({'; '.join([*self.reasons, *gone])})"
        return f"seed {self.draw.seed}: {how}{why}" + "".join(f"\n  WRONG: {each}" for each in self.wrong)


def one(seed: int) -> Ended:
    """Carries out one run, and looks at what it left."""
    draw = Draw.of(seed)
    before = _files()
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as name:
        directory, start = Path(name), time.monotonic()
        with LocalRunner(directory, chaos=draw.chaos, stop_grace=1.0) as runner:
            submission = runner.submit(compile_job(draw.spec(directory), SPOT))
            try:
                status = submission.wait(PATIENCE)
            except WaitTimeout:
                return Ended(draw, submission.status(), PATIENCE, 0, 0, [], set(), ["it hangs"])
            lines = list(submission.logs())
        seconds = time.monotonic() - start
        ended = _ended(draw, status, seconds, lines)
        result = directory / "result"
        written = directory / "jobs" / status.id / "records" / f"{status.id}.json"
        finished = written.exists() and json.loads(written.read_text())["code"] == 0
        if finished and (not result.exists() or result.read_text() != undisturbed(STEPS)):
            ended.wrong.append(f"other bits than undisturbed: {result.read_text() if result.exists() else 'no result'}")
        gone = any(node.exit_code in GONE for node in status.nodes)  # out of attempts: AWS Batch fails the array for it (R60)
        succeeded = status.state is JobState.SUCCEEDED
        if finished != succeeded and not (finished and gone):
            ended.wrong.append(f"the job is {status.state}, but recorded is {written.read_text()}")
        if left := processes_of(status.id):
            ended.wrong.append(f"processes left: {left}")
    if left_files := sorted(_files() - before - (_topologies() if _daemons() else set())):  # which another job's ranks may need
        ended.wrong.append(f"files left: {left_files}")
    if ports := _listening(ended.addresses):
        ended.wrong.append(f"ports left: {ports}")
    return ended


def _ended(draw: Draw, status: JobStatus, seconds: float, lines: list[LogLine]) -> Ended:
    events = [event for line in lines if (event := parse_event_line(line.text))]
    generations = sum(event["event"] == "launching" for event in events)
    reclaims = len({(line.node, line.attempt) for line in lines}) - draw.nodes
    reasons = sorted({event["reason"] for event in events if event["event"] == "finished" and event["code"] != "0"})
    addresses = {event["address"] for event in events if event["event"] in ("leader_claimed", "child_joined")}
    ended = Ended(draw, status, seconds, generations, reclaims, reasons, addresses)
    if status.state is JobState.FAILED:
        codes = {node.exit_code for node in status.nodes}
        gone = [node for node in status.nodes if node.exit_code in GONE]
        if not codes <= {contract.EXIT_GAVE_UP, *GONE, 0}:
            ended.wrong.append(f"failed with {codes}, but the program never fails")
        if not gone and contract.EXIT_GAVE_UP not in codes:
            ended.wrong.append("failed although no node was out of attempts, and nobody gave up")
        if contract.EXIT_GAVE_UP in codes and not any(f"within {WAIT:g} s" in reason for reason in reasons):
            ended.wrong.append(f"gave up without naming its deadline: {reasons}")
    return ended


def _files() -> set[str]:
    """What agents and MPIs might leave where all of the machine can see it; what other jobs of this machine use is theirs."""
    segments = {str(path) for prefix in PREFIXES for path in DIRECTORY.glob(f"{prefix}*")} - used()
    return segments | _topologies() | {str(path) for path in Path("/tmp").glob(f"bhpc-{os.getpid()}-*")}


def _topologies() -> set[str]:
    directory, pattern = TOPOLOGIES
    return {str(path) for path in directory.glob(pattern)}


def _daemons() -> bool:
    """Whether a daemon of MPICH runs, of whatever job."""
    names = (path / "comm" for path in Path("/proc").glob("[0-9]*"))
    return any("hydra_pmi_proxy"[:15] in name.read_text() for name in names if name.exists())


def _listening(addresses: set[str]) -> list[str]:
    """Which of these still have an agent that listens."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A"}
    return [each for each in addresses if f"{socket.inet_aton(each)[::-1].hex().upper()}:{contract.PORT:04X}" in listening]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; the others follow")
    args = parser.parse_args()
    ends: Counter[str] = Counter()
    wrong = reclaims = 0
    for seed in range(args.seed, args.seed + args.runs):
        ended = one(seed)
        ends[str(ended.status.state)] += 1
        reclaims += ended.reclaims
        wrong += bool(ended.wrong)
        print(ended.text, flush=True)
    shown = ", ".join(f"{count} {state}" for state, count in ends.items())
    print(f"{args.runs} runs, {reclaims} nodes replaced: {shown}; {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
