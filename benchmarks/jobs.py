"""The same MPI program over the same hosts, both ways: as a job of this project's, and by mpirun alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchhpc import JobSpec, LocalRunner, compile_job
from batchhpc.agent import launch
from batchhpc.agent.network import interface_of
from batchhpc.jobs import Job
from batchhpc.spec import Environment
from benchmarks.measure import Missing, Options

PROGRAM = Path(__file__).parent / "programs" / "hello.py"
LONGEST = 60.0  # seconds that any run may take
_PASSED = re.compile(r"passed (\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Mpi:
    """An installed MPI: its mpirun, and the python3 that has mpi4py for it."""

    kind: launch.Mpi
    version: str
    mpirun: str
    python: str
    path: str

    @classmethod
    def find(cls, options: Options) -> Mpi:
        """The one that was asked for.

        Raises:
            Missing: there is none.
        """
        directory = options.mpi or Path(sys.executable).parent
        path = os.pathsep.join([str(directory), os.environ.get("PATH", os.defpath)])
        mpirun, python = shutil.which("mpirun", path=path), shutil.which("python3", path=path)
        if not mpirun or not python:
            raise Missing("needs an MPI: pip install 'batchhpc[local]', or --mpi DIRECTORY of another")
        said = subprocess.run([mpirun, "--version"], capture_output=True, text=True, check=False, timeout=LONGEST).stdout
        number = re.search(r"\d+\.\d+(\.\d+)?", said)
        return cls(launch.recognise(said, "auto"), number.group() if number else "unknown", mpirun, python, path)

    def command(self, seconds: float) -> list[str]:
        """What each rank runs."""
        return [self.python, str(PROGRAM), str(seconds)]

    @property
    def env(self) -> dict[str, str]:
        """Variables of a run by mpirun alone."""
        plan = self._plan(["127.0.0.1"], 1, "", [])
        return {**os.environ, "PATH": self.path, **launch.variables(self.kind, plan, os.environ)}

    def argv(self, hosts: Sequence[str], ranks: int, rsh: Path | None, directory: Path, seconds: float) -> list[str]:
        """The command line of mpirun: the very flags that the agent gives it, but another program than the shim.

        Args:
            hosts: addresses.
            ranks: on each.
            rsh: program that runs a command on a host; None for one host.
            directory: for the hosts file.
            seconds: that the ranks stay.
        """
        plan = self._plan(hosts, ranks, str(rsh or ""), self.command(seconds))
        hosts_path = directory / "hosts"
        hosts_path.write_text(launch.hosts_file(self.kind, plan.hosts))
        return launch.arguments(self.kind, plan, str(hosts_path))

    def _plan(self, hosts: Sequence[str], ranks: int, rsh: str, command: Sequence[str]) -> launch.Plan:
        interface, subnet = interface_of(hosts[0])
        return launch.Plan(
            mpirun=self.mpirun,
            hosts=tuple(launch.Host(host, "here", ranks) for host in hosts),
            shim=rsh,
            command=tuple(command),
            cpus_per_rank=1,
            cpus=len(os.sched_getaffinity(0)),
            efa=False,
            subnet=subnet,
            interface=interface,
            root=os.geteuid() == 0,
        )


def versions(options: Options) -> dict[str, str]:
    """For the report."""
    mpi = Mpi.find(options)
    return {str(mpi.kind): mpi.version}


@contextmanager
def submitted(mpi: Mpi, nodes: int, seconds: float, directory: Path) -> Iterator[Job]:
    """A job of one rank per node; it has ended when the context is left."""
    env = {"PATH": mpi.path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    spec = JobSpec(
        name="bench", image="none", command=tuple(mpi.command(seconds)), nodes=nodes, attempts=1, time_limit="1m", env=env
    )
    with LocalRunner(directory, stop_grace=1.0) as runner:
        yield runner.submit(compile_job(spec, Environment(stop_grace="1s")))


@contextmanager
def bounded(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """Kills a process that takes longer, so that no wait for it lasts for ever."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def passed(text: str) -> list[float]:
    """When ranks were past their barrier, from what they said; Unix seconds."""
    return [float(stamp) for stamp in _PASSED.findall(text)]
