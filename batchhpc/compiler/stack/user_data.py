"""What a node does before it joins: settings of the ECS agent, and its mounts."""

from __future__ import annotations

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.mounting import script
from batchhpc.compiler.stack.resource import Value
from batchhpc.spec import Capacity

_BOUNDARY = "==batchhpc=="


def user_data(plan: EnvironmentPlan) -> Value:
    """A MIME multi-part text (R75), which AWS Batch adds its own part to, so that the agent finds its cluster."""
    parts = [("text/x-shellscript", settings(plan))]
    if mounting := script(plan):
        parts.append(("text/x-shellscript", mounting))
    body = "".join(f'--{_BOUNDARY}\nContent-Type: {kind}; charset="us-ascii"\n\n{text}\n' for kind, text in parts)
    text = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{_BOUNDARY}"\n\n{body}--{_BOUNDARY}--\n'
    return {"Fn::Base64": {"Fn::Sub": text} if "${" in text else text}


def settings(plan: EnvironmentPlan) -> str:
    """The ECS agent's settings. Its service starts when cloud-init is done, so that it finds them."""
    lines = [
        f"ECS_RESERVED_MEMORY={int(plan.spec.reserved_memory.mib)}",  # MiB that jobs do not get (R25)
        f"ECS_CONTAINER_STOP_TIMEOUT={int(plan.spec.stop_grace.seconds)}s",  # from SIGTERM to SIGKILL (R40)
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true",  # no new tasks on an instance that is being taken (R70)
        "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true",  # the execution role writes logs, so the instance need not
    ]
    if plan.spec.capacity is Capacity.ON_DEMAND:  # jobs of several nodes (R28) must not take the node's own credentials
        lines.append("ECS_AWSVPC_BLOCK_IMDS=true")
    # ECS_IMAGE_PULL_BEHAVIOR stays as it is: layers are cached anyway, and with prefer-cached a tag that was pushed again would
    # mean one image on nodes that are warm and another on those that are not
    return "#!/bin/sh\ncat >>/etc/ecs/ecs.config <<'END'\n" + "".join(f"{line}\n" for line in lines) + "END\n"
