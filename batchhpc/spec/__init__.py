"""What the user asks for.

Takes: Python arguments, YAML or JSON text.
Gives: a frozen, checked `JobSpec` or `EnvironmentSpec`, and the `Environment` that jobs see; or `InvalidSpec` with all problems.
May import: errors, pydantic, ruamel.yaml.
Never does: read a file, look at the machine, use a field name of AWS, compute a value the user did not write.
"""

from __future__ import annotations

from batchhpc.spec.environment import Capacity, Environment, Fabric
from batchhpc.spec.environment_spec import EnvironmentSpec
from batchhpc.spec.job import JobSpec, Launcher, LogConfiguration, NodeGroup, Shape
from batchhpc.spec.mounts import EfsSource, Mount
from batchhpc.spec.quantities import Duration, Memory, Rate

__all__ = [
    "Capacity",
    "Duration",
    "EfsSource",
    "Environment",
    "EnvironmentSpec",
    "Fabric",
    "JobSpec",
    "Launcher",
    "LogConfiguration",
    "Memory",
    "Mount",
    "NodeGroup",
    "Rate",
    "Shape",
]
