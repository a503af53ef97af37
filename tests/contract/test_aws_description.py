from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from batchhpc.compiler.fields import ANYTHING, REGISTER, SUBMIT, MapOf, Words
from tests.contract.aws_description import complaints_of_botocore, complaints_of_walker, request_shape
from tests.contract.golden.regenerate import compiled, names

_TYPES = {"string": str, "integer": int, "long": int, "boolean": bool}


@pytest.mark.parametrize("name", names("good"))
def test_the_sdk_takes_the_documents(name):
    """Every golden document passes the SDK's own validator, and the walker for the enumerations and limits it skips."""
    made = compiled(name)
    documents = {"register": made.register, "submit": made.submit}
    assert complaints_of_botocore(documents) == []
    assert complaints_of_walker(documents) == []


@pytest.mark.parametrize(("document", "fields"), [("register", REGISTER), ("submit", SUBMIT)])
def test_the_fields_are_those_of_the_api(document, fields):
    """The compiler's table of fields has the API's names, types, required members and enumerations: no more, no fewer."""
    assert list(_differences(fields, request_shape(document), document)) == []


def _differences(kind: Any, shape: Any, path: str) -> list[str]:
    if kind is ANYTHING:
        return []
    if isinstance(kind, Words):
        return [] if not shape.enum or set(kind.words) == set(shape.enum) else [f"{path}: {kind.words} is not {shape.enum}"]
    if isinstance(kind, list):
        return _differences(kind[0], shape.member, f"{path}[]")
    if isinstance(kind, MapOf):
        return [] if shape.type_name == "map" else [f"{path}: a map, but the API has {shape.type_name}"]
    if isinstance(kind, Mapping):
        return _structure_differences(kind, shape, path)
    return [] if _TYPES[shape.type_name] is kind else [f"{path}: {kind}, but the API has {shape.type_name}"]


def _structure_differences(kind: Mapping[str, Any], shape: Any, path: str) -> list[str]:
    kinds = {name.removesuffix("!"): inner for name, inner in kind.items()}
    found = [f"{path}.{name}: in one of the two only" for name in set(kinds) ^ set(shape.members)]
    required = {name[:-1] for name in kind if name.endswith("!")}
    found += [f"{path}.{name}: required in one of the two only" for name in required ^ set(shape.required_members)]
    for name in set(kinds) & set(shape.members):
        found += _differences(kinds[name], shape.members[name], f"{path}.{name}")
    return found
