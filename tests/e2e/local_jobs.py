"""Jobs whose "containers" are small shell scripts: Batch runs any command, and so does the local runner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchhpc.compiler.documents import CompiledJob
from batchhpc.jobs import JobState, JobStatus, LogLine
from batchhpc.local import LocalRunner
from batchhpc.spec import Shape

INDEX = "$AWS_BATCH_JOB_NODE_INDEX"
CHILD = "$AWS_BATCH_JOB_ARRAY_INDEX"
FOREVER = "while :; do sleep 0.05; done"
"""A command that ends by SIGTERM at once."""
STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"
"""A command that only SIGKILL ends."""


def multinode(
    script: str | list[str], nodes: int = 3, *, container: Any = None, register: Any = None, **submit: Any
) -> CompiledJob:
    """A multi-node job whose nodes run a script of ``sh``; a list has the main node's first, then the children's."""
    scripts = {"0:": script} if isinstance(script, str) else {"0:0": script[0], "1:": script[1]}
    ranges = [{"targetNodes": target, "container": _container(text, container)} for target, text in scripts.items()]
    definition = {
        "jobDefinitionName": "definition",
        "type": "multinode",
        "nodeProperties": {"numNodes": nodes, "mainNode": 0, "nodeRangeProperties": ranges},
        **(register or {}),
    }
    return CompiledJob(Shape.MULTINODE, "", definition, _submit(submit))


def array(script: str, size: int = 3, *, container: Any = None, register: Any = None, **submit: Any) -> CompiledJob:
    """An array of container jobs that run a script of ``sh``."""
    job = single(script, container=container, register=register, arrayProperties={"size": size}, **submit)
    return replace(job, shape=Shape.GANG)


def single(script: str, *, container: Any = None, register: Any = None, **submit: Any) -> CompiledJob:
    """A container job that runs a script of ``sh``."""
    definition = {
        "jobDefinitionName": "definition",
        "type": "container",
        "containerProperties": _container(script, container),
        **(register or {}),
    }
    return CompiledJob(Shape.CONTAINER, "", definition, _submit(submit))


def _container(script: str, more: Any) -> dict[str, Any]:
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
    return {"image": "none", "command": ["sh", "-c", script], "resourceRequirements": resources, **(more or {})}


def _submit(more: dict[str, Any]) -> dict[str, Any]:
    return {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", **more}


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something holds; fails the test if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def wait_for(path: Path) -> str:
    """Shell: waits until a file exists."""
    return f"until [ -e {path} ]; do sleep 0.02; done"


def texts(runner: LocalRunner, job_id: str) -> list[str]:
    """The job's output: lines after their node and attempt, ``1/0: text``."""
    return [f"{line.attempt}/{line.node}: {line.text}" for line in runner.logs(job_id)]


def states(runner: LocalRunner, job_id: str) -> Iterator[JobStatus]:
    """Each status of a job, until it has ended."""
    return (change for change in runner.changes(job_id) if not isinstance(change, LogLine))


def node_states(status: JobStatus) -> list[JobState]:
    return [node.state for node in status.nodes]


def processes_of(job_id: str) -> list[str]:
    """Command lines of all processes that have this job's id in their environment or arguments."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
                if command and job_id.encode() in (process / "environ").read_bytes() + command:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found


@contextmanager
def local_runner(directory: Path, **options: Any) -> Iterator[LocalRunner]:
    """A runner whose 60 s are 0.6 s; afterwards no process of any of its jobs is left, however the test ended."""
    runner = LocalRunner(directory, **{"batch_second": 0.01, **options})
    with runner:
        yield runner
    jobs = directory / "jobs"
    left = [command for job in jobs.iterdir() for command in processes_of(job.name)] if jobs.exists() else []
    assert not left
