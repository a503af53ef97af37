"""Stacks of the emulator: resources one after the other, an event for each step, roll back where one fails."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.e2e.emulator.resources import ACCOUNT, Resources
from tests.e2e.emulator.values import NO_VALUE, Values, in_order

STEP = 0.01  # seconds between a resource's two events
HELD_AT_MOST = 60  # seconds


class Failed(Exception):
    """A resource could not be made, changed or deleted."""


@dataclass
class Resource:
    """A resource of a stack that is there."""

    kind: str
    physical: str
    attributes: dict[str, Any]
    properties: dict[str, Any]
    deletion: str


@dataclass
class Orders:
    """What tests ordered to go wrong."""

    failures: list[dict[str, Any]] = field(default_factory=list)
    held: str = ""
    drift: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def check(self, operation: str, logical: str) -> None:
        """Waits while the resource is held, and fails if that was ordered.

        Raises:
            Failed: as ordered.
        """
        until = time.monotonic() + HELD_AT_MOST
        while self.held == logical and time.monotonic() < until:
            time.sleep(STEP)
        for failure in self.failures:
            if failure["logical"] == logical and failure["operation"] == operation and failure["times"]:
                failure["times"] -= 1
                raise Failed(failure["reason"])


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass
class Stack:
    """One stack."""

    name: str
    region: str
    resources_api: Resources
    orders: Orders
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    template: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    there: dict[str, Resource] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    protected: bool = False
    change_set: str = ""
    token: str = ""
    created: datetime = field(default_factory=now)
    updated: datetime | None = None

    def __post_init__(self) -> None:
        self.id = f"arn:aws:cloudformation:{self.region}:{ACCOUNT}:stack/{self.name}/{uuid.uuid4()}"

    def event(self, logical: str, kind: str, status: str, reason: str = "", physical: str = "") -> None:
        """Adds an event."""
        said = {"ResourceStatusReason": reason} if reason else {}
        token = {"ClientRequestToken": self.token} if self.token else {}
        self.events.append(
            {
                "StackId": self.id,
                "EventId": str(uuid.uuid4()),
                "StackName": self.name,
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": kind,
                "Timestamp": now(),
                "ResourceStatus": status,
                **said,
                **token,
            }
        )

    def become(self, status: str, reason: str = "") -> None:
        """The stack's own state changes."""
        self.event(self.name, "AWS::CloudFormation::Stack", status, reason, self.id)
        self.status, self.reason = status, reason

    def values(self, template: dict[str, Any], parameters: dict[str, str]) -> Values:
        """The functions of a template, with this stack's resources."""
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.name,
            "AWS::StackId": self.id,
        }
        return Values(template, parameters, pseudo, self._attribute)

    def _attribute(self, logical: str, name: str) -> Any:
        if logical not in self.there:
            raise Failed(f"Template error: {logical} is not there")
        found = self.there[logical]
        return found.physical if not name else found.attributes.get(name, f"{found.physical}.{name}")

    def wanted(self, template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
        """Resources of a template whose conditions hold."""
        values = self.values(template, parameters)
        return {
            name: each
            for name, each in template.get("Resources", {}).items()
            if "Condition" not in each or values.condition(each["Condition"])
        }

    # --- what happens, each in a thread of its own ------------------------------------------------------------------------

    def start(self, work: Callable[..., None], *arguments: Any) -> None:
        """Does it in a thread."""
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def create(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        """Makes all, or rolls back."""
        self.template, self.parameters = template, parameters
        try:
            for logical in in_order(self.wanted(template, parameters)):
                self._make(logical, template["Resources"][logical], template, parameters)
        except Failed as error:
            self.become(
                "ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to create: [{error}]. Rollback requested by user."
            )
            self._finish(self._erase_all(rolling_back=True), "ROLLBACK")
            return
        self._outputs(template, parameters)
        self.become("CREATE_COMPLETE")

    def update(self, template: dict[str, Any], parameters: dict[str, str], replaced: set[str]) -> None:
        """Changes what differs, or rolls back."""
        old = dict(self.there)
        wanted = self.wanted(template, parameters)
        try:
            for logical in in_order(wanted):
                self._change(logical, wanted[logical], template, parameters, replace=logical in replaced)
        except Failed as error:
            self.become("UPDATE_ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to update: [{error}]. ")
            self._roll_back(old)
            return
        self.template, self.parameters = template, parameters
        self.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for logical in [name for name in self.there if name not in wanted]:
            self._erase(logical, rolling_back=False)
        self._outputs(template, parameters)
        self.become("UPDATE_COMPLETE")

    def roll_back_again(self) -> None:
        """ContinueUpdateRollback."""
        self.become("UPDATE_ROLLBACK_IN_PROGRESS")
        self._roll_back(dict(self.there))

    def delete(self, retain: list[str]) -> None:
        """Deletes all but what is retained."""
        self._finish(self._erase_all(rolling_back=False, retain=retain), "DELETE")

    def _roll_back(self, old: dict[str, Resource]) -> None:
        try:
            for logical in old:
                self.orders.check("ROLLBACK", logical)
        except Failed as error:
            self.event(logical, old[logical].kind, "UPDATE_FAILED", str(error), old[logical].physical)
            self.become("UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{logical}]. ")
            return
        for logical in [name for name in self.there if name not in old]:
            self._erase(logical, rolling_back=True)
        self.become("UPDATE_ROLLBACK_COMPLETE")

    def _finish(self, left: list[str], what: str) -> None:
        if left:
            self.become(f"{what}_FAILED", f"The following resource(s) failed to delete: [{', '.join(left)}]. ")
        else:
            self.become(f"{what}_COMPLETE")

    def _make(self, logical: str, resource: dict[str, Any], template: dict[str, Any], parameters: dict[str, str]) -> None:
        kind = resource["Type"]
        self.event(logical, kind, "CREATE_IN_PROGRESS")
        try:
            self.orders.check("CREATE", logical)
            properties = self.values(template, parameters).of(resource.get("Properties", {}))
            made = self.resources_api.make(kind, self.name, logical, {} if properties is NO_VALUE else properties)
        except Exception as error:
            self.event(logical, kind, "CREATE_FAILED", f'Resource handler returned message: "{error}"')
            others = [name for name in template["Resources"] if name != logical and name not in self.there][:1]
            for other in others:  # what was under way at the time
                self.event(other, template["Resources"][other]["Type"], "CREATE_FAILED", "Resource creation cancelled")
            raise Failed(", ".join([logical, *others])) from error
        time.sleep(STEP)
        self.there[logical] = Resource(kind, made.physical, made.attributes, resource, resource.get("DeletionPolicy", "Delete"))
        self.event(logical, kind, "CREATE_COMPLETE", physical=made.physical)

    def _change(
        self, logical: str, resource: dict[str, Any], template: dict[str, Any], parameters: dict[str, str], *, replace: bool
    ) -> None:
        if logical not in self.there:
            self._make(logical, resource, template, parameters)
            return
        found = self.there[logical]
        if found.properties == resource:
            return
        self.event(logical, resource["Type"], "UPDATE_IN_PROGRESS", physical=found.physical)
        try:
            self.orders.check("UPDATE", logical)
        except Failed as error:
            self.event(logical, resource["Type"], "UPDATE_FAILED", str(error), found.physical)
            raise Failed(logical) from error
        if replace:
            properties = self.values(template, parameters).of(resource.get("Properties", {}))
            made = self.resources_api.make(resource["Type"], self.name, logical, properties)
            found.physical, found.attributes = made.physical, made.attributes
        found.properties, found.deletion = resource, resource.get("DeletionPolicy", "Delete")
        self.event(logical, resource["Type"], "UPDATE_COMPLETE", physical=found.physical)

    def _erase_all(self, *, rolling_back: bool, retain: list[str] | None = None) -> list[str]:
        left = []
        for logical in reversed(list(self.there)):
            if logical in (retain or []):
                found = self.there.pop(logical)
                self.event(logical, found.kind, "DELETE_SKIPPED", physical=found.physical)
            elif not self._erase(logical, rolling_back=rolling_back):
                left.append(logical)
        return left

    def _erase(self, logical: str, *, rolling_back: bool) -> bool:
        found = self.there[logical]
        if found.deletion == "Retain" or (found.deletion == "RetainExceptOnCreate" and not rolling_back):
            self.event(logical, found.kind, "DELETE_SKIPPED", physical=found.physical)
            del self.there[logical]
            return True
        self.event(logical, found.kind, "DELETE_IN_PROGRESS", physical=found.physical)
        try:
            self.orders.check("DELETE", logical)
            self.resources_api.delete(found.kind, found.physical)
        except Exception as error:  # noqa: BLE001 - whatever it is, CloudFormation says it and goes on
            self.event(logical, found.kind, "DELETE_FAILED", f'Resource handler returned message: "{error}"', found.physical)
            return False
        time.sleep(STEP)
        del self.there[logical]
        self.event(logical, found.kind, "DELETE_COMPLETE", physical=found.physical)
        return True

    def _outputs(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        values = self.values(template, parameters)
        self.outputs = [
            {"OutputKey": name, "OutputValue": str(values.of(each["Value"]))}
            for name, each in template.get("Outputs", {}).items()
            if "Condition" not in each or values.condition(each["Condition"])
        ]


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
