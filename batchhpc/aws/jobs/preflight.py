"""Before a job is submitted: what the queue, as it is now, and the account's quotas say to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchhpc.aws.jobs.live_queue import LiveQueue, Need, live_queue, obstacles
from batchhpc.aws.quotas import vcpu_quota
from batchhpc.compiler import CompiledJob
from batchhpc.compiler.instances import instance_type
from batchhpc.errors import Problem, Severity, Unavailable

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients


def job_problems(compiled: CompiledJob, clients: Clients) -> list[Problem]:
    """Everything that speaks against the job in its queue, at once; rules that the job waives are warnings. A few calls.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    name, need = compiled.submit["jobQueue"], need_of(compiled.register, compiled.submit)
    queue = live_queue(clients.batch, name)
    if queue is None:
        hint = "batchhpc deploy makes one; --region names another Region"
        return [Problem(f"queue {name.rpartition('/')[2]}", "does not exist in this Region", hint)]
    waived = {problem.rule: problem.waived for problem in compiled.warnings if problem.waived}
    return [
        replace(each, severity=Severity.WARNING, waived=waived[each.rule]) if each.rule in waived else each
        for each in (*obstacles(queue, need), *_quota(queue, need, compiled, clients))
    ]


def need_of(definition: Any, request: Any) -> Need:
    """What a job asks for, from its documents; a description by DescribeJobs has the definition's shape, too."""
    properties = definition.get("nodeProperties")
    if properties:
        containers = [_container(each) for each in properties["nodeRangeProperties"]]
        nodes = request.get("nodeOverrides", {}).get("numNodes") or properties["numNodes"]
    else:
        containers = [definition.get("containerProperties") or definition.get("container") or {}]
        nodes = request.get("arrayProperties", {}).get("size") or 1
    kind = next((each["instanceType"] for each in containers if each.get("instanceType")), "") if properties else ""
    known = instance_type(kind) if kind else None
    vcpus = known.vcpus if known else max(map(_vcpus, containers))
    return Need(bool(properties), nodes, vcpus, kind, request.get("shareIdentifier"))


def _container(node_range: Any) -> Any:
    types = node_range.get("instanceTypes")
    return {**node_range.get("container", {}), **({"instanceType": types[0]} if types else {})}


def _vcpus(container: Any) -> int:
    asked = [each["value"] for each in container.get("resourceRequirements", []) if each["type"] == "VCPU"]
    return int(float(asked[0])) if asked else int(container.get("vcpus", 0) or 0)


def _quota(queue: LiveQueue, need: Need, compiled: CompiledJob, clients: Clients) -> Iterator[Problem]:
    """Whether the account may run so many vCPUs; a warning where Service Quotas cannot be read, which takes a permission."""
    kind = need.kind or next(iter(compiled.environment.instance_types), "")
    if not kind:
        return
    try:
        found = vcpu_quota(clients.quotas, kind, spot=any(each.buys == "SPOT" for each in queue.environments))
    except Unavailable as error:
        text = f"cannot be read, so it is not known whether it holds {need.nodes} x {need.vcpus} vCPUs"
        yield Problem("EC2 quota", f"{text}: {str(error).partition(chr(10))[0]}", rule="R27", severity=Severity.WARNING)
        return
    if found and need.nodes * need.vcpus > found[1]:
        name, most = found
        text = f"{name!r} is {most} vCPUs, but the job takes {need.nodes} x {need.vcpus} = {need.nodes * need.vcpus}"
        yield Problem("EC2 quota", text, "fewer nodes, or ask for more in the Service Quotas console (ec2)", "R27")
