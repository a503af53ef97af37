"""The template as a whole."""

from __future__ import annotations

from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan


def template(plan: EnvironmentPlan) -> dict[str, Any]:
    """The template of an environment."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Metadata": {"batchhpc": {"environment": plan.spec.to_data()}},
        "Resources": {},
    }
