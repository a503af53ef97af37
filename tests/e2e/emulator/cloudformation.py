"""The emulator's CloudFormation: change sets, stacks, events, drift; answers serialised by AWS's own description.

Over 400 lines, since it is one service's API: an action a method, and nothing of them is of use elsewhere.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.e2e.emulator.resources import ACCOUNT, Resources
from tests.e2e.emulator.stacks import Orders, Stack, now

MOST_INLINE = 51_200  # bytes
PAGE = 20  # events, changes or stacks in one answer: small, so that callers must page
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class Refusal(Exception):
    """What CloudFormation answers instead."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


@dataclass
class ChangeSet:
    """One change set."""

    name: str
    stack: Stack
    kind: str
    template: dict[str, Any]
    parameters: dict[str, str]
    tags: list[dict[str, str]]
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    created: Any = field(default_factory=now)

    def __post_init__(self) -> None:
        self.id = f"arn:aws:cloudformation:{self.stack.region}:{ACCOUNT}:changeSet/{self.name}/{uuid.uuid4()}"


class CloudFormation:
    """All Regions' stacks."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._stacks: dict[str, list[Stack]] = {}
        self._change_sets: list[ChangeSet] = []
        self._detections: dict[str, Stack] = {}
        self._orders = Orders()

    def order(self, what: str, data: dict[str, Any]) -> None:
        """What tests order to go wrong."""
        if what == "resources":
            self._orders.failures.append(data)
        elif what == "hold":
            self._orders.held = data["logical"]
        elif what == "drift":
            difference = {
                "PropertyPath": data["path"],
                "ExpectedValue": "as deployed",
                "ActualValue": data["actual"],
                "DifferenceType": "NOT_EQUAL",
            }
            self._orders.drift.setdefault(data["logical"], []).append(difference)

    def answer(self, region: str, action: str, flat: dict[str, str]) -> tuple[str, bytes]:
        """Status and body of the answer to a request."""
        from moto.core.serialize import QuerySerializer

        operation = _service().operation_model(action)
        try:
            result = getattr(self, f"_{action}")(region, _nested(flat))
        except Refusal as error:
            from xml.sax.saxutils import escape

            text = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
            return "400 Bad Request", f"<ErrorResponse><Error>{text}</Error></ErrorResponse>".encode()
        body = QuerySerializer(operation).serialize(result or {})["body"]
        return "200 OK", body.encode() if isinstance(body, str) else body

    # --- looking up -------------------------------------------------------------------------------------------------------

    def _find(self, region: str, name: str) -> Stack | None:
        stacks = self._stacks.get(region, [])
        by_id = [each for each in stacks if each.id == name]
        found = by_id or [each for each in stacks if each.name == name and each.status != "DELETE_COMPLETE"]
        return found[-1] if found else None

    def _stack(self, region: str, request: dict[str, Any], *, words: str = "Stack with id {} does not exist") -> Stack:
        if (found := self._find(region, request["StackName"])) is None:
            raise Refusal(words.format(request["StackName"]))
        return found

    def _change_set(self, region: str, request: dict[str, Any]) -> ChangeSet:
        for each in self._change_sets:
            by_name = each.name == request["ChangeSetName"] and request.get("StackName") in (each.stack.name, each.stack.id)
            if (each.id == request["ChangeSetName"] or by_name) and each.stack.region == region:
                return each
        raise Refusal(f"ChangeSet [{request['ChangeSetName']}] does not exist", "ChangeSetNotFound")

    # --- change sets ------------------------------------------------------------------------------------------------------

    def _CreateChangeSet(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802 - AWS's name
        kind, body = request.get("ChangeSetType", "UPDATE"), request.get("TemplateBody", "")
        if len(body) > MOST_INLINE:
            raise Refusal("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: too long")
        stack = self._find(region, request["StackName"])
        if kind == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise Refusal(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet.")
            if stack is None:
                stack = Stack(request["StackName"], region, Resources(self._endpoint, region), self._orders)
                self._stacks.setdefault(region, []).append(stack)
                stack.become("REVIEW_IN_PROGRESS", "User Initiated")
        elif stack is None:
            raise Refusal(f"Stack [{request['StackName']}] does not exist")
        elif stack.status.endswith("_IN_PROGRESS") or stack.status in (
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_FAILED",
            "DELETE_FAILED",
        ):
            raise Refusal(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        template = json.loads(body)
        iam = any(each["Type"].startswith("AWS::IAM::") for each in template["Resources"].values())
        if iam and not request.get("Capabilities"):
            raise Refusal("Requires capabilities : [CAPABILITY_IAM]", "InsufficientCapabilitiesException")
        parameters = _parameters(stack, template, request)
        tags = request.get("Tags", [])
        changes = _changes(stack, template, parameters)
        made = ChangeSet(request["ChangeSetName"], stack, kind, template, parameters, tags, changes)
        if not changes and template.get("Outputs") == stack.template.get("Outputs") and tags == stack.tags and kind == "UPDATE":
            made.status, made.reason, made.execution = "FAILED", NO_CHANGES, "UNAVAILABLE"
        self._change_sets.append(made)
        return {"Id": made.id, "StackId": stack.id}

    def _DescribeChangeSet(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        made = self._change_set(region, request)
        page, more = _page(made.changes, request)
        return {
            "ChangeSetName": made.name,
            "ChangeSetId": made.id,
            "StackId": made.stack.id,
            "StackName": made.stack.name,
            "CreationTime": made.created,
            "ExecutionStatus": made.execution,
            "Status": made.status,
            "StatusReason": made.reason,
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in made.parameters.items()],
            "Changes": page,
            **more,
        }

    def _ListChangeSets(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request)
        summaries = [
            {
                "StackId": stack.id,
                "ChangeSetId": each.id,
                "ChangeSetName": each.name,
                "ExecutionStatus": each.execution,
                "Status": each.status,
                "CreationTime": each.created,
            }
            for each in self._change_sets
            if each.stack is stack
        ]
        return {"Summaries": summaries}

    def _DeleteChangeSet(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        self._change_sets.remove(self._change_set(region, request))

    def _ExecuteChangeSet(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        made = self._change_set(region, request)
        stack = made.stack
        if made.execution != "AVAILABLE":
            text = f"ChangeSet [{made.id}] cannot be executed in its current status of [{made.status}]"
            raise Refusal(text, "InvalidChangeSetStatus")
        if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            raise Refusal(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        stack.token, stack.change_set, stack.tags = request.get("ClientRequestToken", ""), made.id, made.tags
        self._change_sets = [each for each in self._change_sets if each.stack is not stack]
        if made.kind == "CREATE":
            stack.become("CREATE_IN_PROGRESS", "User Initiated")
            stack.start(stack.create, made.template, made.parameters)
        else:
            stack.updated = now()
            stack.become("UPDATE_IN_PROGRESS", "User Initiated")
            changed = [each["ResourceChange"] for each in made.changes]
            replaced = {each["LogicalResourceId"] for each in changed if each.get("Replacement") == "True"}
            stack.start(stack.update, made.template, made.parameters, replaced)

    # --- stacks -----------------------------------------------------------------------------------------------------------

    def _DescribeStacks(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        if "StackName" in request:
            return {"Stacks": [_described(self._stack(region, request))]}
        page, more = _page([each for each in self._stacks.get(region, []) if each.status != "DELETE_COMPLETE"], request)
        return {"Stacks": [_described(each) for each in page], **more}

    def _DescribeStackEvents(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request, words="Stack [{}] does not exist")
        page, more = _page(list(reversed(stack.events)), request)
        return {"StackEvents": page, **more}

    def _ListStackResources(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request)
        there = [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": each.physical,
                "ResourceType": each.kind,
                "LastUpdatedTimestamp": stack.created,
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for name, each in stack.there.items()
        ]
        page, more = _page(there, request)
        return {"StackResourceSummaries": page, **more}

    def _GetTemplate(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        return {"TemplateBody": json.dumps(self._stack(region, request).template)}

    def _DeleteStack(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._find(region, request["StackName"])
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return
        if stack.protected:
            raise Refusal(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        retain = request.get("RetainResources", [])
        if retain and stack.status != "DELETE_FAILED":
            raise Refusal("RetainResources can only be specified when the stack is in the DELETE_FAILED state.")
        self._change_sets = [each for each in self._change_sets if each.stack is not stack]
        stack.token = request.get("ClientRequestToken", "")
        stack.become("DELETE_IN_PROGRESS", "User Initiated")
        stack.start(stack.delete, retain)

    def _UpdateTerminationProtection(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request)
        stack.protected = request["EnableTerminationProtection"] == "true"
        return {"StackId": stack.id}

    def _ContinueUpdateRollback(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise Refusal(f"Stack:{stack.id} is in {stack.status} state and can not continue update rollback.")
        stack.start(stack.roll_back_again)

    # --- drift ------------------------------------------------------------------------------------------------------------

    def _DetectStackDrift(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        key = str(uuid.uuid4())
        self._detections[key] = self._stack(region, request)
        return {"StackDriftDetectionId": key}

    def _DescribeStackDriftDetectionStatus(self, _: str, request: dict[str, Any]) -> Any:  # noqa: N802
        key = request["StackDriftDetectionId"]
        drifted = [name for name in self._orders.drift if name in self._detections[key].there]
        return {
            "StackId": self._detections[key].id,
            "StackDriftDetectionId": key,
            "StackDriftStatus": "DRIFTED" if drifted else "IN_SYNC",
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": len(drifted),
            "Timestamp": now(),
        }

    def _DescribeStackResourceDrifts(self, region: str, request: dict[str, Any]) -> Any:  # noqa: N802
        stack = self._stack(region, request)
        drifts = [
            {
                "StackId": stack.id,
                "LogicalResourceId": name,
                "PhysicalResourceId": stack.there[name].physical,
                "ResourceType": stack.there[name].kind,
                "StackResourceDriftStatus": "MODIFIED",
                "PropertyDifferences": differences,
                "Timestamp": now(),
            }
            for name, differences in self._orders.drift.items()
            if name in stack.there
        ]
        return {"StackResourceDrifts": drifts}


def _parameters(stack: Stack, template: dict[str, Any], request: dict[str, Any]) -> dict[str, str]:
    values = {name: str(each["Default"]) for name, each in template.get("Parameters", {}).items() if "Default" in each}
    for each in request.get("Parameters", []):
        key, previous = each["ParameterKey"], each.get("UsePreviousValue") == "true"
        if previous and key not in stack.parameters:
            raise Refusal(f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true")
        if key not in template.get("Parameters", {}):
            raise Refusal(f"Parameters: [{key}] do not exist in the template")
        values[key] = stack.parameters[key] if previous else each["ParameterValue"]
    if missing := [name for name in template.get("Parameters", {}) if name not in values]:
        raise Refusal(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def _described(stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "CreationTime": stack.created,
        **({"LastUpdatedTime": stack.updated} if stack.updated else {}),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "Outputs": stack.outputs,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in stack.parameters.items()],
        "Tags": stack.tags,
        "EnableTerminationProtection": stack.protected,
    }


def _changes(stack: Stack, template: dict[str, Any], parameters: dict[str, str]) -> list[dict[str, Any]]:
    """What differs, with what needs a replacement by the resources' own schemas (cfn-lint has them)."""
    wanted, found = stack.wanted(template, parameters), []
    for name, resource in wanted.items():
        change: dict[str, Any] = {"LogicalResourceId": name, "ResourceType": resource["Type"]}
        if name not in stack.there:
            found.append({**change, "Action": "Add"})
            continue
        before, after = stack.there[name].properties.get("Properties", {}), resource.get("Properties", {})
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        if not changed:
            continue
        fixed = {path[0] for path in create_only(resource["Type"]) if _at(before, path) != _at(after, path)}
        details = [
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": key,
                    "RequiresRecreation": "Always" if key in fixed else "Never",
                    "BeforeValue": json.dumps(before.get(key)),
                    "AfterValue": json.dumps(after.get(key)),
                },
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for key in changed
        ]
        change |= {"PhysicalResourceId": stack.there[name].physical, "Scope": ["Properties"], "Details": details}
        found.append({**change, "Action": "Modify", "Replacement": "True" if fixed else "False"})
    for name in stack.there:
        if name not in wanted:
            here = stack.there[name]
            gone = {"LogicalResourceId": name, "ResourceType": here.kind, "PhysicalResourceId": here.physical, "Action": "Remove"}
            found.append({**gone, "PolicyAction": "Retain" if here.deletion.startswith("Retain") else "Delete"})
    return [{"Type": "Resource", "ResourceChange": each} for each in found]


@cache
def create_only(kind: str) -> frozenset[tuple[str, ...]]:
    """Paths of a type's properties that cannot be changed, by its own schema."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return frozenset(tuple(path.split("/")[2:]) for path in schema.get("createOnlyProperties", []))


def _at(properties: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        properties = properties.get(name) if isinstance(properties, dict) else None
    return properties


@cache
def _service() -> Any:
    from botocore.loaders import Loader
    from moto.core.model import ServiceModel

    return ServiceModel(Loader().load_service_model("cloudformation", "service-2"), "cloudformation")


def _page(items: list[Any], request: dict[str, Any]) -> tuple[list[Any], dict[str, str]]:
    start = int(request.get("NextToken", 0))
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(items) else {}
    return items[start : start + PAGE], more


def _nested(flat: dict[str, str]) -> dict[str, Any]:
    """``Tags.member.1.Key`` as lists and mappings."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        at, parts = tree, name.split(".")
        for part in parts[:-1]:
            at = at.setdefault(part, {})
        at[parts[-1]] = value
    made = _listed(tree)
    assert isinstance(made, dict)
    return made


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if set(node) == {"member"}:
        return [_listed(node["member"][key]) for key in sorted(node["member"], key=int)]
    return {name: _listed(each) for name, each in node.items()}
