"""One job spec, run as a tightly coupled MPI job: here, and on AWS Batch from the same documents.

Names are resolved on first use: ``python -m batchhpc.agent`` runs this file on every node, where nothing but the
standard library may be there (docs/architecture.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batchhpc.version import __version__

if TYPE_CHECKING:
    from batchhpc.aws import BatchRunner
    from batchhpc.compiler import CompiledEnvironment, CompiledJob, compile_environment, compile_job, environment_of
    from batchhpc.errors import BatchHpcError, InvalidSpec
    from batchhpc.jobs import Job, JobState, JobStatus
    from batchhpc.local import LocalRunner
    from batchhpc.spec import Environment, EnvironmentSpec, JobSpec, Mount, NodeGroup

_HOME = {
    "BatchRunner": "batchhpc.aws",
    "BatchHpcError": "batchhpc.errors",
    "CompiledEnvironment": "batchhpc.compiler",
    "CompiledJob": "batchhpc.compiler",
    "Environment": "batchhpc.spec",
    "EnvironmentSpec": "batchhpc.spec",
    "InvalidSpec": "batchhpc.errors",
    "Job": "batchhpc.jobs",
    "JobSpec": "batchhpc.spec",
    "JobState": "batchhpc.jobs",
    "JobStatus": "batchhpc.jobs",
    "LocalRunner": "batchhpc.local",
    "Mount": "batchhpc.spec",
    "NodeGroup": "batchhpc.spec",
    "compile_environment": "batchhpc.compiler",
    "compile_job": "batchhpc.compiler",
    "environment_of": "batchhpc.compiler",
}

__all__ = [
    "BatchHpcError",
    "BatchRunner",
    "CompiledEnvironment",
    "CompiledJob",
    "Environment",
    "EnvironmentSpec",
    "InvalidSpec",
    "Job",
    "JobSpec",
    "JobState",
    "JobStatus",
    "LocalRunner",
    "Mount",
    "NodeGroup",
    "__version__",
    "compile_environment",
    "compile_job",
    "environment_of",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'batchhpc' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
