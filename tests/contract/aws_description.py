"""AWS's own description of its API, out of botocore, and two judges that go by it.

`complaints_of_botocore` is the validator that the SDK itself runs: required members, unknown members, types. The walker
looks at what that validator skips: enumerations, upper limits, patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

OPERATIONS = {"register": "RegisterJobDefinition", "submit": "SubmitJob"}


@cache
def batch() -> ServiceModel:
    """The description of AWS Batch."""
    return ServiceModel(Loader().load_service_model("batch", "service-2"))


def request_shape(document: str) -> Any:
    """The shape of the request that a document is: register or submit."""
    return batch().operation_model(OPERATIONS[document]).input_shape


def complaints_of_botocore(documents: Mapping[str, Any]) -> list[str]:
    """What botocore's validator says of both documents."""
    reports = [ParamValidator().validate(documents[name], request_shape(name)) for name in OPERATIONS]
    return [report.generate_report() for report in reports if report.has_errors()]


def complaints_of_walker(documents: Mapping[str, Any]) -> list[str]:
    """Values outside the enumerations, limits and patterns of AWS's description."""
    return [complaint for name in OPERATIONS for complaint in _walk(documents[name], request_shape(name), name)]


def complaints_of_shape(value: Any, shape: Any, path: str) -> dict[str, list[str]]:
    """What each judge says of a request of any service."""
    report = ParamValidator().validate(value, shape)
    return {"botocore": [report.generate_report()] if report.has_errors() else [], "walker": list(_walk(value, shape, path))}


def _walk(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                yield from _walk(item, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        yield from _within(len(value), shape, path)
        for i, item in enumerate(value):
            yield from _walk(item, shape.member, f"{path}[{i}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        yield from _within(len(value), shape, path)
        for name, item in value.items():
            yield from _walk(name, shape.key, f"{path}.{name}")
            yield from _walk(item, shape.value, f"{path}.{name}")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _text(value, shape, path)
    elif isinstance(value, int):
        yield from _within(value, shape, path)


def _text(value: str, shape: Any, path: str) -> Iterator[str]:
    # AWS takes RETRY in any case, and documents logentries without listing it
    if shape.enum and value not in shape.enum and value != "logentries":
        yield f"{path} is {value!r}, not one of {shape.enum}"
    pattern = re.sub(r"\\p\{[LZN]\}", r"\\w\\s", shape.metadata.get("pattern", ""))  # Java's words for letters, spaces and digits
    if pattern and not re.fullmatch(pattern, value):
        yield f"{path} is {value!r}, which does not match {pattern}"
    yield from _within(len(value), shape, path)


def _within(amount: int, shape: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and amount < least:
        yield f"{path} is {amount}, less than {least}"
    if most is not None and amount > most:
        yield f"{path} is {amount}, more than {most}"
