"""Deploying an environment: planned, confirmed, carried out by CloudFormation, followed to its end.

Whatever happens to the caller in between, CloudFormation goes on: the same deployment started again finds its own operation by
the mark in its token, and follows that.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from batchhpc.aws.environments.change_set import forget_plan
from batchhpc.aws.environments.events import Event, Follower, current_operation
from batchhpc.aws.environments.planning import Deployable, DeploymentPlan, deployable, loss_text, prepare
from batchhpc.aws.environments.stack import NEVER_MADE, Stack, find_stack
from batchhpc.aws.refusals import code_of, is_lost
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Refused, Unavailable

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients
    from batchhpc.spec import EnvironmentSpec

DEADLINE: Final = 3 * 3600.0  # seconds: a file system takes an hour at most, an update of a compute environment may wait for jobs
_DELETED_WITHIN: Final = 3600.0  # seconds

Progress = Callable[[Event | str], None]


class Outcome(StrEnum):
    """How a deployment ended."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that ended well, or that nobody wanted; ``stack`` is None if there is none."""

    outcome: Outcome
    stack: Stack | None


def deploy(
    spec: EnvironmentSpec,
    clients: Clients,
    *,
    confirm: Callable[[DeploymentPlan], bool],
    progress: Progress,
    allow_data_loss: bool = False,
    drift: bool = False,
    deadline: float = DEADLINE,
) -> Deployment:
    """Deploys an environment, or follows its deployment if that is under way.

    Args:
        spec: the environment.
        clients: the SDK's, for the environment's Region.
        confirm: shown the plan; nothing happens unless it is true.
        progress: told of every event of the stack, and of what is done beside as text.
        allow_data_loss: whether file systems and buckets may be replaced or taken out.
        drift: whether to look for what was changed by hand.
        deadline: seconds to wait for CloudFormation at most.

    Raises:
        InvalidSpec: with every problem of the spec, found here or in the account.
        Refused: data would be lost, or somebody else is at it.
        StackFailed: CloudFormation could not do it; what it had done is taken back.
        WaitTimeout: CloudFormation goes on.
        Unavailable: AWS cannot be asked.
    """
    what = deployable(spec)
    stack = find_stack(clients, what.compiled.plan.stack)
    if stack is not None and stack.busy:
        return _attach(what, stack, clients, progress, deadline)
    plan = prepare(what, clients, stack, drift=drift)
    if plan.nothing:
        return Deployment(Outcome.UNCHANGED, stack)
    if plan.data_losses and not allow_data_loss:
        _forget(plan, clients, what)
        text = f"environment {spec.name}: data would be lost\n{loss_text(plan.data_losses)}"
        raise Refused(f"{text}\n  hint: save the data first, then --allow-data-loss; or keep those fields as they were")
    try:
        agreed = confirm(plan)
    except BaseException:  # Ctrl-C at the question is a no, too
        _forget(plan, clients, what)
        raise
    if not agreed:
        _forget(plan, clients, what)
        return Deployment(Outcome.DECLINED, stack)
    if stack is not None and stack.status in NEVER_MADE:
        progress(f"a first deployment failed ({stack.status}): what is left of it is removed")
        remove(stack, clients, progress)
        plan = prepare(what, clients, None)
    if plan.change_set is not None:
        token = new_token(what.mark, clients)
        _execute(plan, token, clients, what)
        _follow(what, plan.change_set.stack_id, clients, progress=progress, deadline=deadline, token=token, new=plan.new)
    _protect(what, clients, progress)
    return Deployment(Outcome.CREATED if plan.new else Outcome.UPDATED, find_stack(clients, what.compiled.plan.stack))


def new_token(mark: str, clients: Clients) -> str:
    """A token for an operation: whose it is, and what it deploys. Letters, digits and hyphens, at most 128."""
    try:
        with sdk_errors():
            arn = clients.sts.get_caller_identity()["Arn"]
    except Unavailable:
        arn = "unknown"  # not allowed to ask: no reason to stop
    who = re.sub(r"[^A-Za-z0-9]+", "-", arn.rpartition("/")[2] or arn)[:64].strip("-")
    return f"batchhpc-{mark}-{uuid.uuid4().hex[:8]}-{who}"


def _forget(plan: DeploymentPlan, clients: Clients, what: Deployable) -> None:
    if plan.change_set is not None:
        forget_plan(clients, plan.change_set, what.compiled.plan.stack)


def _attach(what: Deployable, stack: Stack, clients: Clients, progress: Progress, deadline: float) -> Deployment:
    """Follows an operation that is under way if it is this very deployment."""
    events = current_operation(clients, stack.id)
    started = next((each for each in events if each.starts), None)
    token = started.token if started else ""
    if not token.startswith(f"batchhpc-{what.mark}-"):
        raise Refused(_busy_text(stack, started))
    assert started is not None
    progress(f"this deployment is under way since {started.at:%H:%M:%S} UTC: following it")
    new = started.status == "CREATE_IN_PROGRESS"
    _follow(what, stack.id, clients, progress=progress, deadline=deadline, token=token, new=new)
    _protect(what, clients, progress)
    return Deployment(Outcome.CREATED if new else Outcome.UPDATED, find_stack(clients, stack.name))


def _busy_text(stack: Stack, started: Event | None) -> str:
    named = re.fullmatch(r"batchhpc-[0-9a-f]{12}-[0-9a-f]{8}-(.+)", started.token) if started else None
    by = f" by {named[1]}" if named else ""
    since = started.at if started else stack.changed_at
    what = "destroyed" if stack.status.startswith("DELETE") else "deployed from another spec"
    text = f"environment {stack.environment} is being {what}{by} since {since:%Y-%m-%d %H:%M:%S} UTC ({stack.status})"
    return f"{text}\n  hint: try again when that has ended; batchhpc environments shows it"


def _execute(plan: DeploymentPlan, token: str, clients: Clients, what: Deployable) -> None:
    """Starts the change set; a call whose answer is lost may have started it all the same."""
    assert plan.change_set is not None
    change_set = plan.change_set
    try:
        with sdk_errors():
            clients.cloudformation.execute_change_set(
                ChangeSetName=change_set.id,
                StackName=what.compiled.plan.stack,
                ClientRequestToken=token,
            )
    except Unavailable as error:
        stack = find_stack(clients, change_set.stack_id)
        if stack is not None and stack.change_set == change_set.id and stack.status != "REVIEW_IN_PROGRESS":
            return
        if stack is not None and stack.busy:
            started = next((each for each in current_operation(clients, stack.id) if each.starts), None)
            raise Refused(_busy_text(stack, started)) from error
        if code_of(error.__cause__ or error) in ("InvalidChangeSetStatus", "ChangeSetNotFound"):
            text = f"environment {what.spec.name} was changed by somebody else since it was planned"
            raise Refused(f"{text}\n  hint: the same command again shows the new plan") from error
        if error.__cause__ is None or not is_lost(error.__cause__):
            forget_plan(clients, change_set, what.compiled.plan.stack)
        raise


def _follow(
    what: Deployable, stack_id: str, clients: Clients, *, progress: Progress, deadline: float, token: str, new: bool
) -> None:
    follower = Follower(clients, stack_id, deadline, progress, token)
    ended = follower.run()
    if ended in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    name = what.spec.name
    after = {
        "ROLLBACK_COMPLETE": "what was made is deleted again; the same command tries anew when the cause is gone",
        "UPDATE_ROLLBACK_COMPLETE": "the environment is as it was before; the same command tries anew when the cause is gone",
        "UPDATE_ROLLBACK_FAILED": "it could not be taken back either; the same command says what to do",
    }.get(ended, f"the stack is {ended}; batchhpc destroy {name} --region {clients.region} removes what is left")
    raise follower.failure(f"environment {name} could not be {'made' if new else 'changed'}", after)


def _protect(what: Deployable, clients: Clients, progress: Progress) -> None:
    """Termination protection as the spec has it: no part of a change set."""
    stack = find_stack(clients, what.compiled.plan.stack)
    wanted = what.spec.termination_protection
    if stack is None or stack.protected == wanted:
        return
    with sdk_errors():
        clients.cloudformation.update_termination_protection(StackName=stack.id, EnableTerminationProtection=wanted)
    progress(f"termination protection is {'on' if wanted else 'off'}")


def remove(stack: Stack, clients: Clients, progress: Progress, deadline: float = _DELETED_WITHIN) -> None:
    """Deletes a stack, and waits until it is gone.

    Raises:
        StackFailed: names the resource that cannot be deleted.
        WaitTimeout: CloudFormation goes on.
        Unavailable: AWS refuses.
    """
    token = f"batchhpc-{uuid.uuid4().hex}"
    with sdk_errors():
        clients.cloudformation.delete_stack(StackName=stack.id, ClientRequestToken=token)
    follower = Follower(clients, stack.id, deadline, progress, token)
    if (ended := follower.run()) != "DELETE_COMPLETE":
        after = f"repair what is named, then batchhpc destroy {stack.environment} --region {clients.region} again"
        raise follower.failure(f"environment {stack.environment} could not be removed ({ended})", after)
