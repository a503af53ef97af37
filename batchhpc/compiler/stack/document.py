"""What no template may have, whoever wrote it: a wrong shape, dangling references, policies that allow too much, too many bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchhpc.compiler.stack.shape import mapping, misshapen
from batchhpc.errors import Problem

MOST_BYTES: Final = 51_200  # of a template within a request
_WITH_POLICIES: Final = ("AWS::IAM::Role", "AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
# Actions of the roles here that know no resources; everything else can be narrowed
UNNARROWED: Final = frozenset({"ecr:GetAuthorizationToken", "ecs:DiscoverPollEndpoint"})


def problems(template: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a template as a document; paths are the template's."""
    found = [*misshapen(template), *_dangling(template), *_too_open(template)]
    size = len(json.dumps(template, separators=(",", ":"), ensure_ascii=False, default=str).encode())
    if size > MOST_BYTES:
        message = f"has {size} bytes, more than the {MOST_BYTES} that CloudFormation takes"
        found.append(Problem("", message, "fewer instance types or storage; an overlay may leave out tags"))
    return found


def _dangling(template: Mapping[str, Any]) -> Iterator[Problem]:
    resources = mapping(template.get("Resources"))
    known = {*resources, *mapping(template.get("Parameters"))}
    for path, name in _references({key: template.get(key) for key in ("Resources", "Outputs")}, ""):
        if name not in known and not name.startswith("AWS::"):
            yield Problem(path, f"names {name!r}, which is not in the template")
    for name, resource in resources.items():
        for other in _listed(mapping(resource).get("DependsOn")):
            if isinstance(other, str) and other not in resources:
                yield Problem(f"Resources.{name}.DependsOn", f"names {other!r}, which is not in the template")


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and name of everything that is referred to."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _references(item, f"{path}[{i}]")
    if not isinstance(value, Mapping):
        return
    match dict(value):
        case {"Ref": str(name)}:
            yield path, name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield path, name
        case {"Fn::GetAtt": str(text)}:
            yield path, text.partition(".")[0]
        case {"Fn::Sub": str(text)}:
            yield from ((path, name) for name in _named(text))
        case {"Fn::Sub": [str(text), Mapping() as own]}:
            yield from ((path, name) for name in _named(text) if name not in own)
            yield from _references(own, f"{path}.Fn::Sub[1]")
        case other:
            for key, inner in other.items():
                yield from _references(inner, f"{path}.{key}".lstrip("."))


def _named(text: str) -> list[str]:
    return re.findall(r"\$\{([A-Za-z0-9:]+)(?:\.[A-Za-z0-9.]+)?\}", text)


def _too_open(template: Mapping[str, Any]) -> Iterator[Problem]:
    """Statements of roles that allow every action of a service, or an action on everything that could be narrower."""
    for name, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") not in _WITH_POLICIES:
            continue
        for path, each in _statements(resource.get("Properties"), f"Resources.{name}.Properties"):
            actions = [str(action) for action in _listed(each.get("Action"))]
            if each.get("Effect") != "Allow":
                continue
            if "NotAction" in each or "NotResource" in each:
                yield Problem(path, "allows everything but something", "name what is allowed")
            for action in actions:
                if "*" in action:
                    yield Problem(f"{path}.Action", f"allows {action}", "name each action")
            if "*" in _listed(each.get("Resource")) and (open_ := [each for each in actions if each not in UNNARROWED]):
                yield Problem(f"{path}.Resource", f"allows {', '.join(open_)} on everything", "name the resources")


def _statements(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _statements(item, f"{path}[{i}]")
    elif isinstance(value, Mapping):
        if "Effect" in value and "Principal" not in value:
            yield path, value
        for key, inner in value.items():
            yield from _statements(inner, f"{path}.{key}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []
