"""What a deployment would do: the account asked, CloudFormation asked, and the answer as one plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchhpc.aws.environments.change_set import (
    DATA_STORES,
    Action,
    Change,
    ChangeSet,
    check_size,
    discard_stale,
    forget_plan,
    make_change_set,
    mark_of,
)
from batchhpc.aws.environments.drift import Drifted, drift_of
from batchhpc.aws.environments.preflight import preflight
from batchhpc.aws.environments.stack import NEVER_MADE, Stack, find_stack
from batchhpc.aws.environments.subnets import zone_name_of, zone_of
from batchhpc.aws.prices.costs import EnvironmentCosts, environment_costs
from batchhpc.aws.prices.prices import Prices
from batchhpc.aws.sdk import Clients
from batchhpc.compiler.environment import ENVIRONMENT_TAG
from batchhpc.compiler.stack.compile import CompiledEnvironment, compile_environment
from batchhpc.compiler.stack.zone import ZONE_NAME_PARAMETER, ZONE_PARAMETER
from batchhpc.errors import InvalidSpec, Problem, Refused

if TYPE_CHECKING:
    from batchhpc.spec import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What a deployment would do.

    Attributes:
        new: whether the environment is not there yet.
        zone: id of the zone that the nodes are in; None if not known.
        changes: of resources; None where CloudFormation was not asked what they are (a change of the spec only is no change).
        protection: termination protection as it will be, if that changes; else None.
        warnings: of the rules and of the look at the account.
        costs: None without a look at the prices.
        drift: what was changed by hand; None if nobody asked.
        change_set: what carries it out; None if there is nothing to do, or if it was a plan only.
    """

    environment: str
    region: str
    new: bool
    zone: str | None
    changes: tuple[Change, ...]
    protection: bool | None
    warnings: tuple[Problem, ...]
    costs: EnvironmentCosts | None = None
    drift: tuple[Drifted, ...] | None = None
    change_set: ChangeSet | None = None

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.change_set is None and not self.changes and self.protection is None

    @property
    def data_losses(self) -> tuple[Change, ...]:
        """Changes by which the environment would lose data."""
        return tuple(each for each in self.changes if each.loses_data)


@dataclass(frozen=True, slots=True)
class Deployable:
    """A compiled environment with all that CloudFormation is told of it."""

    compiled: CompiledEnvironment
    template: str
    tags: Mapping[str, str]
    mark: str

    @property
    def spec(self) -> EnvironmentSpec:
        """The environment's spec."""
        return self.compiled.plan.spec


def deployable(spec: EnvironmentSpec) -> Deployable:
    """Compiles an environment for its deployment.

    Raises:
        InvalidSpec: with every problem.
    """
    compiled = compile_environment(spec)
    template = json.dumps(compiled.template, separators=(",", ":"))  # as small as can be: its size is limited
    check_size(template)
    tags = {**spec.tags, ENVIRONMENT_TAG: spec.name}
    return Deployable(compiled, template, tags, mark_of(template, tags))


def plan(spec: EnvironmentSpec, clients: Clients, *, drift: bool = False) -> DeploymentPlan:
    """What `deploy` would do; nothing stays behind.

    Args:
        spec: the environment.
        clients: the SDK's, for the environment's Region.
        drift: whether to look for what was changed by hand, which takes minutes.

    Raises:
        InvalidSpec: with every problem of the spec, found here or in the account.
        Refused: CloudFormation is at work on the environment.
        StackFailed: CloudFormation cannot plan it.
        Unavailable: AWS cannot be asked.
    """
    what = deployable(spec)
    stack = find_stack(clients, what.compiled.plan.stack)
    if stack is not None and stack.busy:
        since = f"{stack.changed_at:%Y-%m-%d %H:%M:%S} UTC"
        text = f"environment {spec.name} is being changed at the moment ({stack.status} since {since})"
        raise Refused(f"{text}\n  hint: try again when that has ended; batchhpc environments shows it")
    made = prepare(what, clients, stack, drift=drift)
    if made.change_set is not None:
        forget_plan(clients, made.change_set, what.compiled.plan.stack)
    return made


def plan_offline(spec: EnvironmentSpec) -> DeploymentPlan:
    """The resources that a first deployment would make, and which of them cost money, without a look at AWS.

    Raises:
        InvalidSpec: with every problem.
    """
    what, clients = deployable(spec), Clients(spec.region)
    return DeploymentPlan(
        spec.name, spec.region, new=True, zone=spec.availability_zone, changes=_added(what), protection=None,
        warnings=what.compiled.warnings,
        costs=environment_costs(what.compiled.plan, clients, Prices(clients, offline=True)),
    )  # fmt: skip


def prepare(what: Deployable, clients: Clients, stack: Stack | None, *, drift: bool = False) -> DeploymentPlan:
    """The plan, with the change set that carries it out.

    Raises:
        InvalidSpec: with what the account speaks against it.
        Refused, StackFailed, Unavailable: see `plan`.
    """
    spec, name = what.spec, what.compiled.plan.stack
    if stack is not None and stack.status == "REVIEW_IN_PROGRESS":
        discard_stale(clients, name)
        stack = None  # no more than a change set's name
    there = None if stack is None or stack.status in NEVER_MADE else stack
    check_state(there, clients, spec.name)
    checked = preflight(what.compiled.plan, clients, _zone_now(there, clients))
    if checked.errors:
        raise InvalidSpec([*what.compiled.warnings, *checked.problems])
    warnings = (*what.compiled.warnings, *checked.problems)
    known = _Known(what, warnings, checked.zone, environment_costs(what.compiled.plan, clients))
    if stack is not None and there is None:  # stands in the way of a change set until it is deleted
        return known.plan(new=True, changes=_added(what), protection=spec.termination_protection or None)
    if there is not None:
        discard_stale(clients, name)
    change_set = make_change_set(
        clients, name, what.template, new=there is None, mark=what.mark, tags=what.tags,
        parameters=_parameters(what, clients, there, checked.zone),
    )  # fmt: skip
    protected = there is not None and there.protected
    return known.plan(
        new=there is None,
        changes=change_set.changes if change_set else (),
        protection=spec.termination_protection if spec.termination_protection != protected else None,
        drift=drift_of(there, clients) if drift and there is not None else None,
        change_set=change_set,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    what: Deployable
    warnings: tuple[Problem, ...]
    zone: str | None
    costs: EnvironmentCosts
    more: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, **more: Any) -> DeploymentPlan:
        spec = self.what.spec
        return DeploymentPlan(spec.name, spec.region, zone=self.zone, warnings=self.warnings, costs=self.costs, **more)


def check_state(stack: Stack | None, clients: Clients, name: str) -> None:
    """Whether a stack can be changed at all.

    Raises:
        Refused: it is somebody else's, or in a state that needs a decision first.
    """
    if stack is None:
        return
    if stack.tags.get(ENVIRONMENT_TAG) != name:
        raise Refused(f"there is a stack {stack.name} already, and it was not made by batchhpc\n  hint: another name for it")
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        command = f"aws cloudformation continue-update-rollback --region {clients.region} --stack-name {stack.name}"
        text = f"environment {name} is stuck: a deployment failed, and so did taking it back: {stack.reason}"
        hint = f"repair what is named there, then {command}; --resources-to-skip LOGICAL_ID leaves one as it is"
        raise Refused(f"{text}\n  hint: {hint}")
    if stack.status == "DELETE_FAILED":
        text = f"environment {name} is half destroyed: {stack.reason}"
        raise Refused(f"{text}\n  hint: batchhpc destroy {name} --region {clients.region} goes on with it")


def _added(what: Deployable) -> tuple[Change, ...]:
    resources = what.compiled.template["Resources"]
    return tuple(Change(Action.ADD, logical, each["Type"]) for logical, each in resources.items())


def _zone_now(stack: Stack | None, clients: Clients) -> str | None:
    """The zone that the nodes are in: what was chosen once is not chosen again."""
    if stack is None:
        return None
    subnet = stack.outputs.get("SubnetId")
    return stack.parameters.get(ZONE_PARAMETER) or (zone_of(subnet, clients) if subnet else None)


def _parameters(what: Deployable, clients: Clients, stack: Stack | None, zone: str | None) -> dict[str, str | None]:
    """Values of the template's parameters; None for the one that the stack has."""
    wanted = what.compiled.template.get("Parameters", {})
    if ZONE_NAME_PARAMETER in wanted:
        # Asked each time: the subnet may be another one.
        return {ZONE_NAME_PARAMETER: zone_name_of(what.spec.network.subnet or "", clients)}
    if ZONE_PARAMETER not in wanted:
        return {}
    if stack is not None and ZONE_PARAMETER in stack.parameters:
        return {ZONE_PARAMETER: None}
    if zone is None:
        text = f"which zone of {what.spec.region} offers the instance types could not be found out"
        raise InvalidSpec([Problem("availability_zone", text, "name one: availability_zone: euw1-az1", "R94")])
    return {ZONE_PARAMETER: zone}


def loss_text(changes: tuple[Change, ...]) -> str:
    """What data a deployment would lose, a line each."""
    lines = []
    for each in changes:
        what = f"{DATA_STORES[each.type]} {each.physical or each.logical}"
        how = "is taken out of the environment, but stays in the account" if each.keeps else "is deleted with all it holds"
        why = f" (because of {', '.join(each.why)})" if each.why else ""
        maybe = "perhaps " if each.action is Action.MAY_REPLACE else ""
        lines.append(f"{each.logical}: the {what} {maybe}{how}{why}")
    return "\n".join(lines)
