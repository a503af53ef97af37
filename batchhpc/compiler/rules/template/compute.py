"""The compute environment and its queue (R30, R33, R48, R49, R72, R74, R76)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchhpc.compiler.rules.environment.compute import R72
from batchhpc.compiler.rules.environment.images import R76
from batchhpc.compiler.rules.environment.network import R30
from batchhpc.compiler.rules.environment.queue import R49
from batchhpc.compiler.rules.environment.template import R48
from batchhpc.compiler.rules.environment.types import R33, R74
from batchhpc.compiler.rules.rule import Finding
from batchhpc.compiler.rules.template.parts import (
    COMPUTE_ENVIRONMENT,
    compute_resources,
    items,
    launch_templates,
    mapping,
    resources,
)
from batchhpc.errors import Severity

_REASONS: Final = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
)


@R30.template
def same_groups(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A compute environment without groups of its own, with too many, or with others than its launch template's."""
    for path, compute in compute_resources(template):
        groups = items(compute.get("SecurityGroupIds"))
        here = f"{path}.SecurityGroupIds"
        if not groups:
            yield Finding(here, "is missing: containers of multi-node jobs would get the VPC's default group", topic="groups")
        if len(groups) > 5:
            yield Finding(here, f"names {len(groups)} groups, more than 5", topic="groups")
        for data_path, data in launch_templates(template):
            for i, each in enumerate(items(data.get("NetworkInterfaces"))):
                own = items(mapping(each).get("Groups"))
                if groups and own != groups:
                    message = f"are others than the compute environment's, which names {len(groups)}"
                    yield Finding(f"{data_path}.NetworkInterfaces[{i}].Groups", message, topic="groups")


@R33.template
def one_subnet(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A compute environment in several subnets, or in none."""
    for path, compute in compute_resources(template):
        subnets = items(compute.get("Subnets"))
        if len(subnets) != 1:
            message = f"names {len(subnets)} subnets: nodes of a job, and of a cluster placement group, are in one zone"
            yield Finding(f"{path}.Subnets", message, "exactly one", topic="subnets", waivable=False)


@R48.template
def one_compute_environment(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A queue with several compute environments."""
    for path, _, queue in resources(template, "AWS::Batch::JobQueue"):
        order = items(queue.get("ComputeEnvironmentOrder"))
        if len(order) != 1:
            yield Finding(f"{path}.ComputeEnvironmentOrder", f"has {len(order)} compute environments")


@R49.template
def limits_of_the_queue(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Reasons, actions and times that a queue does not know."""
    for path, _, queue in resources(template, "AWS::Batch::JobQueue"):
        for i, each in enumerate(items(queue.get("JobStateTimeLimitActions"))):
            action, here = mapping(each), f"{path}.JobStateTimeLimitActions[{i}]"
            if action.get("Reason") not in _REASONS:
                yield Finding(f"{here}.Reason", f"is {action.get('Reason')!r}, not one of {', '.join(_REASONS)}", topic="reason")
            if action.get("Action") != "CANCEL":
                yield Finding(f"{here}.Action", f"is {action.get('Action')!r}, but can be CANCEL only", topic="action")
            seconds = action.get("MaxTimeSeconds")
            if not isinstance(seconds, int) or not 600 <= seconds <= 86_400:
                yield Finding(f"{here}.MaxTimeSeconds", f"is {seconds!r}, not 600 to 86400", topic="time")


@R72.template
def can_be_updated(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A service role, or a version of the launch template that AWS Batch chooses itself."""
    for path, _, environment in resources(template, COMPUTE_ENVIRONMENT):
        if "ServiceRole" in environment:
            message = "is given: only with the service-linked role can AWS Batch update types, images and network"
            yield Finding(f"{path}.ServiceRole", message, "leave it out", topic="role")
    for path, compute in compute_resources(template):
        version = mapping(compute.get("LaunchTemplate")).get("Version", "$Default")
        if version in ("$Default", "$Latest"):
            yield Finding(
                f"{path}.LaunchTemplate.Version", f"is {version}, which AWS Batch looks up when it likes", topic="version"
            )


@R74.template
def can_be_made(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A compute environment that AWS Batch refuses, or that never launches anything."""
    for path, _, environment in resources(template, COMPUTE_ENVIRONMENT):
        if environment.get("State", "ENABLED") != "ENABLED":
            yield Finding(f"{path}.State", f"is {environment['State']!r}, but must be ENABLED when it is made", waivable=False)
    for path, compute in compute_resources(template):
        yield from _made(path, compute)


def _made(path: str, compute: Mapping[str, Any]) -> Iterator[Finding]:
    least, most = compute.get("MinvCpus", 0), compute.get("MaxvCpus")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Finding(f"{path}.MinvCpus", f"is {least}, more than MaxvCpus, {most}", waivable=False)
    role = compute.get("InstanceRole")
    if not role or "InstanceRole" in str(mapping(role)):
        yield Finding(f"{path}.InstanceRole", "is not an instance profile", "GetAtt InstanceProfile.Arn", waivable=False)
    wanted = mapping(compute.get("LaunchTemplate"))
    if ("LaunchTemplateId" in wanted) == ("LaunchTemplateName" in wanted):
        yield Finding(f"{path}.LaunchTemplate", "needs an id or a name, and not both", waivable=False)
    if not items(compute.get("InstanceTypes")):
        yield Finding(f"{path}.InstanceTypes", "is empty", waivable=False)


@R76.template
def a_living_image(template: Mapping[str, Any]) -> Iterator[Finding]:
    """An image type of Amazon Linux 2, which AWS Batch takes for new compute environments no more."""
    for path, compute in compute_resources(template):
        for i, each in enumerate(items(compute.get("Ec2Configuration"))):
            kind = str(mapping(each).get("ImageType", ""))
            if kind in {"ECS_AL2", "ECS_AL2_NVIDIA"} and "ImageIdOverride" not in mapping(each):
                message = f"is {kind}, which AWS Batch takes no more for new compute environments"
                yield Finding(f"{path}.Ec2Configuration[{i}].ImageType", message, "ECS_AL2023", Severity.ERROR, topic="image")
