"""The template as a whole."""

from __future__ import annotations

from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.overlay import merged
from batchhpc.compiler.stack.access import access
from batchhpc.compiler.stack.bucket import bucket
from batchhpc.compiler.stack.budget import budget
from batchhpc.compiler.stack.compute import compute
from batchhpc.compiler.stack.efs import efs, target_name
from batchhpc.compiler.stack.launch_template import launch_template
from batchhpc.compiler.stack.logs import logs
from batchhpc.compiler.stack.lustre import lustre
from batchhpc.compiler.stack.metadata import metadata
from batchhpc.compiler.stack.network import network
from batchhpc.compiler.stack.outputs import outputs
from batchhpc.compiler.stack.resource import Resources
from batchhpc.compiler.stack.security_group import security_group
from batchhpc.compiler.stack.zone import parameters


def overlaid_template(plan: EnvironmentPlan) -> dict[str, Any]:
    """The template as it is deployed: with the spec's overlay merged last."""
    return merged(template(plan), plan.spec.overlay)


def template(plan: EnvironmentPlan) -> dict[str, Any]:
    """The template of an environment. Its metadata say what it was made of, so that a stack can be compared with a spec."""
    resources: Resources = {
        **network(plan),
        **security_group(plan),
        **logs(plan),
        **bucket(plan),
        **access(plan),
        **lustre(plan),
        **efs(plan),
        **launch_template(plan),
        **compute(plan, [target_name(each) for each in plan.spec.storage if each.efs is not None]),
        **budget(plan),
    }
    made: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"batchhpc environment {plan.spec.name}",
        "Metadata": metadata(plan.spec),
        "Resources": resources,
        "Outputs": outputs(plan),
    }
    if needed := parameters(plan):
        made["Parameters"] = needed
    return made
