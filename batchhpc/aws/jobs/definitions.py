"""Job definitions: registered by their content, and used again while it is the same.

A compiled definition's name ends in a hash of its content, so one of that name mostly is that definition. What AWS Batch
holds is compared all the same: somebody else may have registered something under this name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchhpc.aws.sdk import sdk_errors

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

_PAGES = 3  # of 100 revisions each; there is one, unless somebody else uses the name
_NAMED_LISTS = {
    "environment": "name",
    "secrets": "name",
    "secretOptions": "name",
    "ulimits": "name",
    "resourceRequirements": "type",
}


def definition_arn(batch: BatchClient, register: Mapping[str, Any]) -> str:
    """ARN, revision included, of an ACTIVE definition with this content; registered now if there is none.

    Raises:
        Unavailable: AWS cannot be asked, or refuses the definition.
    """
    with sdk_errors():
        return _equal_one(batch, register) or batch.register_job_definition(**register)["jobDefinitionArn"]


def _equal_one(batch: BatchClient, register: Mapping[str, Any]) -> str | None:
    more: dict[str, Any] = {}
    for _ in range(_PAGES):
        page = batch.describe_job_definitions(
            jobDefinitionName=register["jobDefinitionName"], status="ACTIVE", maxResults=100, **more
        )
        for each in sorted(page["jobDefinitions"], key=lambda one: -one["revision"]):
            if same(register, each):
                return each["jobDefinitionArn"]
        if not page.get("nextToken"):
            break
        more = {"nextToken": page["nextToken"]}
    return None


def same(sent: Any, held: Any, name: str = "") -> bool:
    """Whether AWS Batch holds what was sent.

    It adds members (ARN, revision, status), fills in empty ones, gives lists of named things in an order of its own, and
    takes RETRY in any case (R39), so: all that was sent is there, and what is there besides is empty or AWS's own.
    """
    if isinstance(sent, Mapping):
        if not isinstance(held, Mapping):
            return not _full(sent) and not held
        extra = {key for key in held if key not in sent and _full(held[key])}
        return all(same(value, held.get(key), key) for key, value in sent.items()) and (not name or extra <= _FILLED_IN)
    if isinstance(sent, list | tuple):
        return _same_list(list(sent), list(held or ()), name)
    if isinstance(sent, str) and name == "action":
        return isinstance(held, str) and sent.lower() == held.lower()
    return bool(sent == held) or (not _full(sent) and not _full(held))


# What AWS Batch may add below the top: none of it was asked for, so it stands for AWS's own choice.
_FILLED_IN = frozenset({"platformVersion", "containerOrchestrationType"})


def _same_list(sent: list[Any], held: list[Any], name: str) -> bool:
    if key := _NAMED_LISTS.get(name):
        sent, held = (
            sorted((each for each in side if _full(each.get("value", True))), key=lambda each: str(each.get(key)))
            for side in (sent, held)
        )  # a variable without a value may come back or not
    return len(sent) == len(held) and all(same(one, other, "item") for one, other in zip(sent, held, strict=True))


def _full(value: Any) -> bool:
    """Whether something is said: 0 and False are what AWS fills in where nothing was."""
    if isinstance(value, Mapping):
        return any(_full(each) for each in value.values())
    return value not in (None, "", 0, False) and value not in ([], ())
