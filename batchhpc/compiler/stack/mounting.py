"""The script that mounts an environment's storage on each node."""

from __future__ import annotations

from batchhpc.compiler.environment import EnvironmentPlan


def script(plan: EnvironmentPlan) -> str:
    """Nothing yet."""
    return "" if plan.spec.storage else ""
