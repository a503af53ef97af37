"""Containers of the real images on one network: what AWS Batch would start, started by podman."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchhpc.agent import contract
from batchhpc.compiler.documents import CompiledJob
from batchhpc.local.definition import job_plan
from batchhpc.local.variables import batch_variables

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".batchhpc" / "containers"
OS_IMAGE = "localhost/batchhpc-debian:bookworm"
MACHINE = platform.machine()
PLATFORM = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(MACHINE, "")
NEEDED = ("podman", "mmdebstrap", "runc")
PROGRAMS = CHECKOUT / "tests" / "e2e"
# No default limits and runc: what works on hosts that are containers themselves, with cgroups of either version.
SETTINGS = '[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\n'


def missing() -> str:
    """Why containers cannot be tested here; empty if they can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed: make containers"
    if os.geteuid():
        return "needs root"
    return "" if PLATFORM else f"no wheels for {MACHINE}"


class Podman:
    """Podman with settings of its own, and what it made, to be removed at the end."""

    def __init__(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        settings = CACHE / "containers.conf"
        settings.write_text(SETTINGS)
        self.environ = {**os.environ, "CONTAINERS_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
        self.id = uuid.uuid4().hex[:8]
        self.network = f"batchhpc-{self.id}"
        self._subnet = int(self.id[:2], 16)
        self._names: list[str] = []

    def __call__(self, *words: str | Path, check: bool = True) -> str:
        done = subprocess.run(
            ["podman", *map(str, words)],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert not check or not done.returncode, f"podman {' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def batchhpc(self, *words: str | Path) -> tuple[int, Any]:
        """The command line with ``--json``; gives its exit code and document. What it says meanwhile goes to the test's log."""
        text = "import sys; from batchhpc.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", text, "--json", *map(str, words)]
        done = subprocess.run(command, env=self.environ, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False, timeout=480)
        return done.returncode, json.loads(done.stdout)

    def make_network(self) -> None:
        self("network", "create", "--internal", "--subnet", f"10.89.{self._subnet}.0/24", self.network)

    def address(self, node: int) -> str:
        return f"10.89.{self._subnet}.{10 + node}"

    def start(self, name: str, *words: str | Path) -> str:
        self._names.append(f"{self.network}-{name}")
        self("run", "--detach", "--name", self._names[-1], *words)
        return self._names[-1]

    def remove_all(self) -> None:
        if self._names:
            self("rm", "--force", "--time", "0", *self._names, check=False)
        self("network", "rm", "--force", self.network, check=False)


@dataclass
class Nodes:
    """The running containers of one job, in node order."""

    podman: Podman
    names: list[str]

    def wait(self, node: int) -> int:
        """Until it has ended; its exit code."""
        return int(self.podman("wait", self.names[node]).split()[-1])

    def log(self, node: int) -> list[str]:
        return self.podman("logs", self.names[node]).splitlines()

    def events(self, node: int) -> list[dict[str, str]]:
        return [event for line in self.log(node) if (event := contract.parse_event_line(line))]

    def kill(self, node: int) -> None:
        self.podman("kill", self.names[node])


def start(podman: Podman, job: CompiledJob, *, mounts: Sequence[str] = (), bare: Sequence[str] = ()) -> Nodes:
    """Starts a container per node from the job's documents, as AWS Batch would.

    Args:
        podman: the engine, with its network made.
        job: the compiled job.
        mounts: directories from here, SOURCE:TARGET[:ro].
        bare: what the containers run instead of the definition's command.
    """
    plan = job_plan(job.register, job.submit)
    image = _image(job)
    job_id = uuid.uuid4().hex[:8]
    names = []
    for node, container in enumerate(plan.nodes):
        variables = {
            **container.environment,
            contract.SECRET: job_id,
            **batch_variables(plan, node, job_id=job_id, attempt=1, main_address=podman.address(plan.main)),
        }
        words = ["--network", podman.network, "--ip", podman.address(node), "--init", f"--shm-size={container.shared_memory}m"]
        words += [f"--env={name}={value}" for name, value in variables.items()]
        words += [f"--volume={mount}" for mount in mounts]
        names.append(podman.start(f"{job_id}-{node}", *words, image, *(bare or container.command)))
    return Nodes(podman, names)


def _image(job: CompiledJob) -> str:
    properties: Any = job.register.get("containerProperties")
    if properties is None:
        properties = job.register["nodeProperties"]["nodeRangeProperties"][0]["container"]
    return str(properties["image"])


def provide_os(podman: Podman) -> None:
    """A Debian with Python as the base image, made once; skips the test if it cannot be fetched."""
    if podman("images", "--quiet", OS_IMAGE):
        return
    tar = CACHE / "bookworm.tar"
    if not tar.exists():
        part = tar.with_name(f"{podman.id}.tar")
        packages = "--include=python3,python3-venv,ca-certificates"
        _fetch(["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(part)])
        part.rename(tar)
    podman("import", "--quiet", tar, OS_IMAGE)


def provide_wheels() -> Path:
    """All pinned wheels for that Debian's Python, by hash; skips the test if they cannot be fetched."""
    requirements = [CHECKOUT / "containers" / name for name in ("base/requirements.txt", "base/requirements-mpich.txt")]
    requirements.append(CHECKOUT / "containers" / "risk" / "requirements.txt")
    wheels, done = CACHE / "wheels", CACHE / "wheels.txt"
    wanted = "".join(path.read_text() for path in requirements)
    if done.exists() and done.read_text() == wanted:
        return wheels
    shutil.rmtree(wheels, ignore_errors=True)
    for path in requirements:
        tags = [f"--platform={tag}_{MACHINE}" for tag in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")]
        old = [f"--platform={tag}_{MACHINE}" for tag in ("manylinux_2_5", "manylinux1")]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.11"]
        _fetch([*command, *tags, *old, f"--dest={wheels}", f"--requirement={path}"])
    done.write_text(wanted)
    return wheels


def _fetch(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"{command[0]} failed, which needs the network: {done.stderr[-300:]}")
