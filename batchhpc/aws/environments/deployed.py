"""The environments that are deployed: what jobs must know of one, and which there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchhpc.aws.environments.stack import USABLE, Stack, find_stack, our_stacks, template_of
from batchhpc.compiler.environment import environment_of, stack_name
from batchhpc.compiler.stack.metadata import environment_data
from batchhpc.errors import EnvironmentNotFound, InvalidSpec, Unavailable
from batchhpc.spec import Environment, EnvironmentSpec

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

_WHY_NOT = {
    "REVIEW_IN_PROGRESS": "was planned, but never deployed\n  hint: batchhpc deploy",
    "CREATE_IN_PROGRESS": "is still being deployed\n  hint: batchhpc deploy ENV.yaml follows it",
    "UPDATE_ROLLBACK_FAILED": "is stuck between two deployments\n  hint: batchhpc deploy ENV.yaml says why and what to do",
    "DELETE_IN_PROGRESS": "is being destroyed",
    "DELETE_FAILED": "is half destroyed\n  hint: batchhpc destroy NAME goes on with it",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of ``batchhpc environments``; what a stack of another version does not tell is None."""

    name: str
    region: str
    state: str
    reason: str
    queue: str
    capacity: str | None
    instance_types: tuple[str, ...]
    max_nodes: int | None


def deployed(name: str, clients: Clients) -> tuple[EnvironmentSpec, Environment]:
    """The spec an environment was deployed from, and what jobs must know of it.

    Raises:
        EnvironmentNotFound: there is none of that name in the clients' Region.
        Unavailable: it cannot be used now, or AWS cannot be asked.
    """
    stack = find_stack(clients, stack_name(name))
    if stack is None:
        raise not_found(name, clients)
    if stack.status not in USABLE:
        why = _WHY_NOT.get(stack.status, "could not be deployed\n  hint: batchhpc deploy ENV.yaml tries again")
        raise Unavailable(f"environment {name} ({stack.status}) {why}")
    spec = spec_of(stack, clients)
    return spec, environment_of(spec, stack.outputs)


def spec_of(stack: Stack, clients: Clients) -> EnvironmentSpec:
    """The spec that a stack carries with it.

    Raises:
        Unavailable: it carries none that this version understands.
    """
    data = environment_data(template_of(clients, stack.id or stack.name))
    if data is None:
        raise Unavailable(f"stack {stack.name} was not made by batchhpc: its template does not say of what\n  hint: another name")
    try:
        return EnvironmentSpec.from_data(data, stack.name)
    except InvalidSpec as error:
        text = f"stack {stack.name} was deployed by another version of batchhpc: {error}"
        raise Unavailable(f"{text}\n  hint: deploy it again with this version") from error


def not_found(name: str, clients: Clients) -> EnvironmentNotFound:
    """The error, with the names there are."""
    names = sorted(stack.environment for stack in our_stacks(clients) if stack.status != "REVIEW_IN_PROGRESS")
    region = clients.region
    there = f"there are {', '.join(names)}" if names else "there are none; batchhpc deploy ENV.yaml makes one"
    return EnvironmentNotFound(f"{name}: no such environment in {region}\n  hint: {there}; --region names another Region")


def environments(clients: Clients) -> list[Listed]:
    """All environments of the Region, by name.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    return sorted((_listed(stack, clients) for stack in our_stacks(clients)), key=lambda each: each.name)


def _listed(stack: Stack, clients: Clients) -> Listed:
    try:
        spec = spec_of(stack, clients)
    except Unavailable:
        return Listed(stack.environment, clients.region, stack.status, stack.reason, "", None, (), None)
    known = environment_of(spec)
    return Listed(
        name=stack.environment,
        region=clients.region,
        state=stack.status,
        reason=stack.reason,
        queue=known.queue,
        capacity=str(spec.capacity),
        instance_types=known.instance_types,
        max_nodes=spec.max_nodes,
    )
