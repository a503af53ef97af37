"""Compute environment, placement group, job queue and its fair-share policy."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.launch_template import TEMPLATE
from batchhpc.compiler.stack.network import subnet_id, ways_out
from batchhpc.compiler.stack.resource import Resources, att, lasting_tags, ref, tag_map
from batchhpc.compiler.stack.security_group import RULES, group_ids
from batchhpc.spec import Capacity
from batchhpc.spec.environment_spec import Allocation, FairShare

COMPUTE: Final = "ComputeEnvironment"
QUEUE: Final = "JobQueue"
GROUP: Final = "PlacementGroup"
POLICY: Final = "SchedulingPolicy"

# Reasons as AWS Batch words them (R48, R49). EC2_INSTANCE_CONFIGURATION_UNSUPPORTED is documented in some places only, and
# refused as an invalid reason elsewhere, so it is not given.
REASONS: Final = {
    "no_capacity": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "too_small": "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "impossible": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
}


def allocation(plan: EnvironmentPlan) -> Allocation:
    """How types are chosen: what R65 recommends, unless the spec says something else."""
    if plan.spec.allocation is not Allocation.AUTO:
        return plan.spec.allocation
    spot = plan.spec.capacity is Capacity.SPOT
    return Allocation.SPOT_PRICE_CAPACITY_OPTIMIZED if spot else Allocation.BEST_FIT_PROGRESSIVE


def spot_fleet(plan: EnvironmentPlan) -> bool:
    """Whether instances come through a Spot fleet, which needs a role of its own (R65)."""
    return plan.spec.capacity is Capacity.SPOT and allocation(plan) is Allocation.BEST_FIT


def compute(plan: EnvironmentPlan, mounted: list[str]) -> Resources:
    """Compute environment and queue.

    Args:
        plan: the environment.
        mounted: resources that nodes mount when they start, so that they must be there before.
    """
    best_fit = allocation(plan) is Allocation.BEST_FIT
    made: Resources = {
        COMPUTE: {
            "Type": "AWS::Batch::ComputeEnvironment",
            "DependsOn": sorted([*RULES, *ways_out(plan), *mounted]),
            "Properties": {
                "Type": "MANAGED",
                "State": "ENABLED",  # it must be, when it is made (R74)
                "ComputeResources": _resources(plan),
                # Without a service role it has the service-linked one, which alone may update instances in place (R72);
                # nothing can with BEST_FIT, so that a changed environment is a new one
                "ReplaceComputeEnvironment": best_fit,
                **({} if best_fit else {"UpdatePolicy": {"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 7200}}),
                "Tags": lasting_tags(plan),  # another tag would replace it; those of instances may change
            },
        },
        QUEUE: {"Type": "AWS::Batch::JobQueue", "Properties": _queue(plan)},
    }
    if plan.placement_group:
        group = [{"Key": key, "Value": value} for key, value in lasting_tags(plan).items()]
        made[GROUP] = {"Type": "AWS::EC2::PlacementGroup", "Properties": {"Strategy": "cluster", "Tags": group}}
    if plan.spec.queue.fair_share is not None:
        made[POLICY] = {
            "Type": "AWS::Batch::SchedulingPolicy",
            "Properties": {"FairsharePolicy": _shares(plan.spec.queue.fair_share), "Tags": tag_map(plan)},
        }
    return made


def _resources(plan: EnvironmentPlan) -> dict[str, Any]:
    spec = plan.spec
    made: dict[str, Any] = {
        "Type": "SPOT" if spec.capacity is Capacity.SPOT else "EC2",
        "AllocationStrategy": allocation(plan).value.upper().replace("-", "_"),
        "InstanceTypes": [kind.name for kind in plan.types],
        "MinvCpus": plan.min_vcpus,
        "MaxvCpus": plan.max_vcpus,
        "Subnets": [subnet_id(plan)],  # one, so that all nodes are in one zone (R33)
        "SecurityGroupIds": group_ids(plan),  # the only ones that containers of multi-node jobs get (R30)
        "InstanceRole": att("InstanceProfile", "Arn"),
        # A number, not $Latest, which AWS Batch looks up when it likes (R72)
        "LaunchTemplate": {"LaunchTemplateId": ref(TEMPLATE), "Version": att(TEMPLATE, "LatestVersionNumber")},
        "Ec2Configuration": [_image(plan)],
        "Tags": tag_map(plan),
    }
    if plan.placement_group:
        made["PlacementGroup"] = ref(GROUP)
    if spot_fleet(plan):
        made["SpotIamFleetRole"] = att("SpotFleetRole", "Arn")
    if spec.bid_percentage is not None:
        made["BidPercentage"] = spec.bid_percentage
    if spec.scale_down_delay is not None:
        made["ScalingPolicy"] = {"MinScaleDownDelayMinutes": int(spec.scale_down_delay.seconds // 60)}
    return made


def _image(plan: EnvironmentPlan) -> dict[str, str]:
    if plan.spec.image_id is not None:
        nvidia = any("NVIDIA" in kind.gpu for kind in plan.types)
        return {"ImageType": "ECS_AL2023_NVIDIA" if nvidia else "ECS_AL2023", "ImageIdOverride": plan.spec.image_id}
    return {"ImageType": plan.image_type}


def _queue(plan: EnvironmentPlan) -> dict[str, Any]:
    queue, limits = plan.spec.queue, plan.spec.queue.runnable_limit
    made: dict[str, Any] = {
        "JobQueueName": plan.queue,
        "State": "ENABLED",
        "Priority": queue.priority,
        "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": ref(COMPUTE)}],
        "Tags": tag_map(plan),
    }
    if queue.fair_share is not None:
        made["SchedulingPolicyArn"] = att(POLICY, "Arn")
    actions = [
        {"State": "RUNNABLE", "Reason": reason, "MaxTimeSeconds": int(limit.seconds), "Action": "CANCEL"}
        for name, reason in REASONS.items()
        if (limit := getattr(limits, name)) is not None
    ]
    if actions:
        made["JobStateTimeLimitActions"] = actions
    return made


def _shares(fair: FairShare) -> dict[str, Any]:
    return {
        "ShareDecaySeconds": int(fair.decay.seconds),
        "ComputeReservation": fair.reservation,
        "ShareDistribution": [
            {"ShareIdentifier": name, "WeightFactor": float(weight)} for name, weight in sorted(fair.shares.items())
        ],
    }
