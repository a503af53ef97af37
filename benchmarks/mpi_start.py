"""From "all nodes are in" to "all ranks are past MPI_Init and a barrier": the agents' shim against sshd with keys."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

from batchhpc.agent.contract import event_time, parse_event_line
from benchmarks import jobs, ssh
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Options, Row, Sample, alternate, cpu_of_all, scratch
from benchmarks.report import run

NODES = (2, 4, 8)
STAY = 0.7  # seconds that ranks sleep after the barrier, so that all are there when CPU time is read


def with_agents(mpi: Mpi, nodes: int) -> Sample:
    """From the main agent's `launching` to the last rank's barrier."""
    stamps: list[float] = []
    start = cpu = 0.0
    with scratch() as directory, jobs.submitted(mpi, nodes, STAY, directory) as job:
        text = []
        for line in job.logs(follow=True):
            text.append(line.text)
            event = parse_event_line(line.text)
            if event and event["event"] == "launching":
                start, cpu = event_time(line.text), cpu_of_all()
            stamps += jobs.passed(line.text)
            if len(stamps) == nodes:
                return Sample(max(stamps) - start, cpu_of_all() - cpu)
    raise RuntimeError("\n".join(["the job ended before all ranks were past their barrier:", *text]))


def with_ssh(mpi: Mpi, nodes: int) -> Sample:
    """From the start of mpirun to the last rank's barrier; the daemons run before it starts."""
    stamps: list[float] = []
    with scratch() as directory, ssh.ssh_nodes(nodes, directory) as there:
        argv = mpi.argv(there.hosts, 1, there.rsh, directory, STAY)
        cpu, start = cpu_of_all(), time.time()
        with subprocess.Popen(argv, env=mpi.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as mpirun:
            assert mpirun.stdout
            with jobs.bounded(mpirun, jobs.LONGEST):
                for line in mpirun.stdout:
                    stamps += jobs.passed(line)
                    if len(stamps) == nodes:
                        sample = Sample(max(stamps) - start, cpu_of_all() - cpu)
        if len(stamps) != nodes:
            raise RuntimeError(f"mpirun over ssh ended with {mpirun.returncode}, {len(stamps)} of {nodes} ranks past their barrier")
        return sample


def measure(options: Options) -> list[Row]:
    mpi = Mpi.find(options)
    rows = []
    for nodes in NODES:
        samples = alternate(partial(with_agents, mpi, nodes), partial(with_ssh, mpi, nodes), options.repeats)
        rows.append(Row(f"{nodes} nodes", samples[0], "mpirun over sshd", samples[1]))
    return rows


BENCHMARK = Benchmark("mpi_start", measure, 5, lambda options: {**jobs.versions(options), **ssh.version()})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
