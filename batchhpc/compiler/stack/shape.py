"""What makes a template a template: JSON that CloudFormation reads, sections it knows, resources with a type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final

from batchhpc.errors import Problem

_TEXTS: Final = ("AWSTemplateFormatVersion", "Description")
_MAPPINGS: Final = ("Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Resources", "Outputs")
_SECTIONS: Final = (*_TEXTS, *_MAPPINGS, "Transform")
_ATTRIBUTES: Final = {
    "Type": str,
    "Properties": Mapping,
    "Condition": str,
    "CreationPolicy": Mapping,
    "DeletionPolicy": str,
    "DependsOn": (str, list),
    "Metadata": Mapping,
    "UpdatePolicy": Mapping,
    "UpdateReplacePolicy": str,
}


def misshapen(template: Mapping[str, Any]) -> Iterator[Problem]:
    """What is no template at all; paths are the template's."""
    yield from _unreadable(template, "")
    for name, section in template.items():
        if name not in _SECTIONS:
            yield Problem(str(name), "is no section of a template", _meant(name, _SECTIONS))
        elif name in _TEXTS and not isinstance(section, str):
            yield Problem(name, f"is {_said(section)}, not text", "write it in quotes")
        elif name in _MAPPINGS and not isinstance(section, Mapping):
            yield Problem(name, f"is {_said(section)}, not a mapping")
        elif name in {"Parameters", "Outputs"}:
            for key, each in section.items():
                if not isinstance(each, Mapping):
                    yield Problem(f"{name}.{key}", f"is {_said(each)}, not a mapping")
    for name, resource in mapping(template.get("Resources")).items():
        yield from _resource(f"Resources.{name}", resource)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it is a mapping."""
    return value if isinstance(value, Mapping) else {}


def _resource(path: str, resource: Any) -> Iterator[Problem]:
    if not isinstance(resource, Mapping):
        yield Problem(path, f"is {_said(resource)}, not a resource", "a mapping with Type and Properties")
        return
    if not resource.get("Type"):
        yield Problem(path, "has no Type", "what it is: AWS::EC2::VPC")
    for name, value in resource.items():
        kinds = _ATTRIBUTES.get(name)
        if kinds is None:
            yield Problem(f"{path}.{name}", "is no attribute of a resource", _meant(name, tuple(_ATTRIBUTES)))
        elif not isinstance(value, kinds):  # type: ignore[arg-type]  # Mapping is a type to isinstance
            wanted = {str: "text", Mapping: "a mapping"}.get(kinds, "a name or a list of names")  # type: ignore[call-overload]
            yield Problem(f"{path}.{name}", f"is {_said(value)}, not {wanted}")
    for i, other in enumerate(given if isinstance(given := resource.get("DependsOn"), list) else []):
        if not isinstance(other, str):
            yield Problem(f"{path}.DependsOn[{i}]", f"is {_said(other)}, not a name")


def _unreadable(value: Any, path: str) -> Iterator[Problem]:
    """Values that JSON does not have, or CloudFormation does not take."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _unreadable(inner, f"{path}.{key}".lstrip("."))
        case list():
            for i, item in enumerate(value):
                yield from _unreadable(item, f"{path}[{i}]")
        case None:
            yield Problem(path, "is null, which CloudFormation takes nowhere in a template", "leave it out")
        case float() if not isfinite(value):
            yield Problem(path, f"is {value}, which is not in JSON")


def _said(value: Any) -> str:
    match value:
        case None:
            return "null"
        case Mapping():
            return "a mapping"
        case list():
            return f"a list of {len(value)}"
        case str():
            return f"{value[:40]!r}"
    return str(value)[:40]


def _meant(name: Any, known: tuple[str, ...]) -> str:
    close = get_close_matches(str(name), known, 1)
    return close[0] if close else ""
