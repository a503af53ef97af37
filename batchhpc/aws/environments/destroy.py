"""Destroying an environment: what goes and what would be lost is said first, and nothing is left at the end.

The order matters: file systems of FSx hold network interfaces in the nodes' subnet and go before the stack; buckets and EFS,
which the stack leaves behind, go after it. Each step is harmless when it is done already, so that destroying goes on where it
was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batchhpc.aws.environments.data_stores import DataStore, Eraser, data_stores
from batchhpc.aws.environments.deploy import Progress, remove
from batchhpc.aws.environments.events import Follower, current_operation
from batchhpc.aws.environments.stack import Stack, find_stack
from batchhpc.aws.jobs.listing import list_jobs
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.environment import ENVIRONMENT_TAG, stack_name
from batchhpc.errors import Refused, WaitTimeout
from batchhpc.jobs import JobState

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

DEADLINE: Final = 2 * 3600.0  # seconds
_MOST_JOBS: Final = 10_000
_JOBS_END_WITHIN, _POLL = 1800.0, 3.0  # seconds
_ACTIVE: Final = frozenset(state for state in JobState if not state.ended)
_QUEUE: Final = "AWS::Batch::JobQueue"


@dataclass(frozen=True, slots=True)
class Destruction:
    """What would go, or what has gone.

    Attributes:
        stack: None if there is none any more.
        resources: of the stack: logical name, type, id.
        data: buckets and file systems, with what they hold.
        jobs: ids of jobs that have not ended.
        definitions: ARNs of job definitions of the environment.
    """

    environment: str
    region: str
    stack: Stack | None
    resources: tuple[tuple[str, str, str], ...]
    data: tuple[DataStore, ...]
    jobs: tuple[str, ...]
    definitions: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to destroy."""
        return self.stack is None and not self.data and not self.definitions


def survey(name: str, clients: Clients) -> Destruction:
    """What there is of an environment, whether its stack is still there or not.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    stack = find_stack(clients, stack_name(name))
    resources = _resources(stack, clients) if stack else ()
    queues = [physical for _, kind, physical in resources if kind == _QUEUE and physical]
    jobs = [job.id for queue in queues for job in list_jobs(clients.batch, queue, _ACTIVE, _MOST_JOBS)]
    return Destruction(
        name, clients.region, stack, resources, tuple(data_stores(name, clients)), tuple(jobs), _definitions(name, clients)
    )


def destroy(
    name: str,
    clients: Clients,
    *,
    confirm: Callable[[Destruction], bool],
    progress: Progress,
    delete_data: bool = False,
    terminate_jobs: bool = False,
    deadline: float = DEADLINE,
    pause: Callable[[float], None] = time.sleep,
) -> Destruction | None:
    """Destroys an environment; harmless if it is destroyed already.

    Args:
        name: the environment's.
        clients: the SDK's, for the environment's Region.
        confirm: shown what would go; nothing happens unless it is true.
        progress: told of every event of the stack, and of what is done beside as text.
        delete_data: whether buckets and file systems that may hold something are deleted.
        terminate_jobs: whether jobs that have not ended are terminated.
        deadline: seconds to wait for CloudFormation at most.
        pause: waits some seconds.

    Returns:
        What is left: nothing, where all went well. None if it was not confirmed.

    Raises:
        Refused: data or jobs would be lost, or the environment is protected or being changed.
        StackFailed: something cannot be deleted; names it.
        WaitTimeout: AWS goes on.
        Unavailable: AWS cannot be asked.
    """
    found = survey(name, clients)
    if found.nothing:
        return found
    deleting = found.stack is not None and found.stack.status == "DELETE_IN_PROGRESS"
    _refuse(found, delete_data=delete_data, terminate_jobs=terminate_jobs, deleting=deleting)
    if not confirm(found):
        return None
    _end_jobs(found, clients, progress, pause)
    eraser = Eraser(clients, pause)
    before = [each for each in found.data if each.kind == "Lustre"]
    for store in before:
        progress(f"deleting Lustre file system {store.id}")
        eraser.erase(store)
    _remove_stack(found.stack, clients, progress, deadline, deleting=deleting)
    for store in [each for each in found.data if each not in before]:
        progress(f"deleting {store.kind} {store.id} ({store.holds})")
        eraser.erase(store)
    for arn in found.definitions:
        with sdk_errors():
            clients.batch.deregister_job_definition(jobDefinition=arn)
    if found.definitions:
        progress(f"{len(found.definitions)} job definitions deregistered")
    return survey(name, clients)


def _refuse(found: Destruction, *, delete_data: bool, terminate_jobs: bool, deleting: bool) -> None:
    """All reasons at once.

    Raises:
        Refused: there is one.
    """
    name, stack, why = found.environment, found.stack, list[str]()
    if stack is not None and stack.tags.get(ENVIRONMENT_TAG, name if stack.status == "REVIEW_IN_PROGRESS" else "") != name:
        raise Refused(f"stack {stack.name} was not made by batchhpc\n  hint: delete it with what made it")
    if stack is not None and stack.busy and not deleting:
        text = f"environment {name} is being deployed since {stack.changed_at:%Y-%m-%d %H:%M:%S} UTC ({stack.status})"
        raise Refused(f"{text}\n  hint: try again when that has ended; batchhpc environments shows it")
    if stack is not None and stack.protected:
        why.append("it is protected from termination\n  hint: termination_protection: false in its spec, then batchhpc deploy")
    lost = [each for each in found.data if not each.empty]
    if lost and not delete_data:
        lines = "".join(f"\n    {each.kind} {each.id}: {each.holds}" for each in lost)
        why.append(f"data would be lost:{lines}\n  hint: save what you need, then --delete-data")
    if found.jobs and not terminate_jobs:
        why.append(f"{len(found.jobs)} jobs have not ended, {found.jobs[0]} among them\n  hint: --terminate-jobs, or wait for them")
    if why:
        raise Refused("\n".join(f"environment {name} is not destroyed: {each}" for each in why))


def _resources(stack: Stack, clients: Clients) -> tuple[tuple[str, str, str], ...]:
    with sdk_errors():
        pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        return tuple(
            (each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
        )


def _definitions(name: str, clients: Clients) -> tuple[str, ...]:
    """Active job definitions that jobs of the environment were submitted with."""
    with sdk_errors():
        pages = clients.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
        found = [each for page in pages for each in page["jobDefinitions"]]
    return tuple(each["jobDefinitionArn"] for each in found if each.get("tags", {}).get(ENVIRONMENT_TAG) == name)


def _end_jobs(found: Destruction, clients: Clients, progress: Progress, pause: Callable[[float], None]) -> None:
    if not found.jobs:
        return
    progress(f"terminating {len(found.jobs)} jobs")
    for job in found.jobs:
        with sdk_errors():
            clients.batch.terminate_job(jobId=job, reason=f"environment {found.environment} is destroyed")
    queues = [physical for _, kind, physical in found.resources if kind == _QUEUE]
    waited = 0.0
    while any(list_jobs(clients.batch, queue, _ACTIVE, 1) for queue in queues):
        if waited >= _JOBS_END_WITHIN:
            text = f"jobs of environment {found.environment} have not ended within {_JOBS_END_WITHIN / 60:.0f} minutes"
            raise WaitTimeout(f"{text}\n  hint: batchhpc destroy again goes on")
        pause(_POLL)
        waited += _POLL


def _remove_stack(stack: Stack | None, clients: Clients, progress: Progress, deadline: float, *, deleting: bool) -> None:
    if stack is None:
        return
    if not deleting:
        remove(stack, clients, progress, deadline)
        return
    progress("it is being destroyed already: following that")
    token = next((each.token for each in current_operation(clients, stack.id) if each.starts), "")
    follower = Follower(clients, stack.id, deadline, progress, token)
    if (ended := follower.run()) != "DELETE_COMPLETE":
        after = f"repair what is named, then batchhpc destroy {stack.environment} --region {clients.region} again"
        raise follower.failure(f"environment {stack.environment} could not be removed ({ended})", after)
