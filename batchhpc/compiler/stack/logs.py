"""Log groups: of jobs, and of the network's flows."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.network import vpc_id
from batchhpc.compiler.stack.policies import policy, statement, trusted
from batchhpc.compiler.stack.resource import Resource, Resources, arn, att, ref, sub, tags, unchecked

LOGS: Final = "LogGroup"
_OWN_KEY: Final = "kms_key of the spec encrypts it with the user's own key; without one it is encrypted with AWS's"


def log_group(plan: EnvironmentPlan, name: str) -> Resource:
    """A log group of the environment. It goes with the stack: left behind, its fixed name would be in the next one's way."""
    properties: dict[str, Any] = {"LogGroupName": name, "RetentionInDays": plan.spec.log_days, "Tags": tags(plan)}
    made: Resource = {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }
    if plan.spec.kms_key is None:
        return unchecked(made, {"CKV_AWS_158": _OWN_KEY})
    properties["KmsKeyId"] = plan.spec.kms_key
    return made


def logs(plan: EnvironmentPlan) -> Resources:
    """The jobs' logs, and those of a new VPC's traffic if wanted."""
    made = {LOGS: log_group(plan, plan.log_group)}
    if not (plan.spec.network.is_new and plan.spec.network.flow_logs):
        return made
    streams = [sub("${FlowLogGroup.Arn}")]
    return {
        **made,
        "FlowLogGroup": log_group(plan, f"{plan.log_group}/flows"),
        "FlowLogRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Description": f"Flow logs of {plan.stack}",
                "AssumeRolePolicyDocument": trusted("vpc-flow-logs.amazonaws.com"),
                "Policies": [
                    policy(
                        "write-flows",
                        statement(["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], streams),
                        statement(["logs:DescribeLogGroups"], [arn("logs", "log-group:*")]),  # it looks the group up in a list
                    )
                ],
                "Tags": tags(plan),
            },
        },
        "FlowLog": {
            "Type": "AWS::EC2::FlowLog",
            "Properties": {
                "ResourceType": "VPC",
                "ResourceId": vpc_id(plan),
                "TrafficType": "ALL",
                "LogDestinationType": "cloud-watch-logs",
                "LogGroupName": ref("FlowLogGroup"),
                "DeliverLogsPermissionArn": att("FlowLogRole", "Arn"),
                "MaxAggregationInterval": 600,
                "Tags": tags(plan),
            },
        },
    }
