"""pydantic's errors in the words of the document: a path, what is there, why not, and what to write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from batchhpc.errors import Problem

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
MOST_SHOWN = 120  # characters of a wrong value that a message repeats

_PLAIN = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "mapping_type": "must be a mapping of names to values",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """All problems of one validation, in document order."""
    return [_problem(dict(detail), model) for detail in error.errors(include_url=False)]


def path_of(location: tuple[int | str, ...]) -> str:
    """``("node_groups", 1, "env")`` as ``node_groups[1].env``."""
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def shown(value: object) -> str:
    """A value as the document has it: ``null`` and ``true``, not ``None`` and ``True``; long ones are cut."""
    text = {None: "null", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    text = text or (str(value) if isinstance(value, date) else repr(value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def unwritable(value: object, path: str = "") -> Iterator[Problem]:
    """Texts with a character that no document or command line can have: NUL, or half of a pair of UTF-16."""
    if isinstance(value, str) and _UNWRITABLE.search(value):
        yield Problem(path, f"is {shown(value)}, which has a character that no program can be given")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            written = _UNWRITABLE.sub("?", str(name))
            here = f"{path}.{written}" if path else written
            if written != str(name):
                yield Problem(here, f"is {shown(name)}, which has a character that no program can be given")
            yield from unwritable(inner, here)
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from unwritable(inner, f"{path}[{i}]")


def _bound(kind: str, context: dict[str, Any]) -> str:
    """What a number or a length must be; nothing if the problem is not one of bounds."""
    least, most = context.get("ge", context.get("min_length")), context.get("le", context.get("max_length"))
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"must be at least {least}" if least is not None else f"must be at most {most}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty" if least == 1 else f"must be at least {least} long"
    if kind in ("too_long", "string_too_long"):
        return f"must be at most {most} long"
    return ""


def _problem(detail: dict[str, Any], model: type[BaseModel]) -> Problem:
    kind, location, given = detail["type"], detail["loc"], detail.get("input")
    context = detail.get("ctx", {})
    path = path_of(location)
    if kind == "extra_forbidden":
        known = _fields_at(location[:-1], model)
        close = get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known fields: {', '.join(known)}" if known else ""
        return Problem(path, "is not a field of this document", hint)
    if kind in ("enum", "literal_error"):
        expected = str(context["expected"])
        return Problem(path, f"is {shown(given)}, which is not one of {expected}")
    if kind == "string_pattern_mismatch":
        return Problem(path, f"is {shown(given)}, which does not match {context['pattern']}", _meaning(location, model))
    if kind in _PLAIN:
        rest = "" if kind == "missing" else f", but is {shown(given)}"
        quote = "put it in quotes" if kind == "string_type" and isinstance(given, (int, float, date)) else ""
        return Problem(path, f"{_PLAIN[kind]}{rest}", quote)
    if bound := _bound(kind, context):
        number = isinstance(given, (int, float))
        return Problem(path, f"{bound}, but is {shown(given)}" if number else bound)
    message = str(detail["msg"]).removeprefix("Value error, ")
    if given is not None and not isinstance(given, (dict, list, tuple)) and repr(given) not in message:
        message = f"is {shown(given)}: {message[0].lower()}{message[1:]}"
    return Problem(path, message, str(context.get("hint", "")), str(context.get("rule", "")))


def _meaning(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The docstring of the field that the location leads to, without its markup; empty if it leads to none."""
    names = [part for part in location if not isinstance(part, int)]
    owner = _model_at(tuple(names[:-1]), model) if names else None
    field = owner.model_fields.get(names[-1]) if owner else None
    return (field.description or "").replace("``", "").replace("\n", " ") if field else ""


def _fields_at(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Names of the fields of the model that the location leads to; empty if it leads to none."""
    owner = _model_at(location, model)
    return list(owner.model_fields) if owner else []


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        current = next((arg for arg in _arguments(field.annotation) if hasattr(arg, "model_fields")), None) if field else None
        if current is None:
            return None
    owner: type[BaseModel] = current
    return owner


def _arguments(annotation: Any) -> list[Any]:
    inner = [found for arg in getattr(annotation, "__args__", ()) for found in _arguments(arg)]
    return [annotation, *inner]
