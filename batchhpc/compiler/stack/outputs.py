"""Outputs of the stack."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import OUTPUTS, EnvironmentPlan
from batchhpc.compiler.stack.access import EXECUTION_ROLE, JOB_ROLE, SECRET
from batchhpc.compiler.stack.bucket import BUCKET
from batchhpc.compiler.stack.compute import COMPUTE, QUEUE
from batchhpc.compiler.stack.logs import LOGS
from batchhpc.compiler.stack.network import subnet_id, vpc_id
from batchhpc.compiler.stack.resource import att, ref
from batchhpc.compiler.stack.security_group import GROUP

_VALUES: Final = {
    "QueueArn": att(QUEUE, "JobQueueArn"),
    "ComputeEnvironmentArn": att(COMPUTE, "ComputeEnvironmentArn"),
    "SecretArn": ref(SECRET),
    "ExecutionRoleArn": att(EXECUTION_ROLE, "Arn"),
    "JobRoleArn": att(JOB_ROLE, "Arn"),
    "LogGroupName": ref(LOGS),
    "BucketName": ref(BUCKET),
    "SecurityGroupId": att(GROUP, "GroupId"),
}


def outputs(plan: EnvironmentPlan) -> dict[str, dict[str, Any]]:
    """All of `OUTPUTS`, in their order."""
    values = {**_VALUES, "VpcId": vpc_id(plan), "SubnetId": subnet_id(plan)}
    return {name: {"Description": description, "Value": values[name]} for name, description in OUTPUTS.items()}
