"""pydantic's errors in the words of the document: a path, what is there, why not, and what to write."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from batchhpc.errors import Problem

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

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
        return Problem(path, f"is {given!r}, which is not one of {expected}")
    if kind == "string_pattern_mismatch":
        return Problem(path, f"is {given!r}, which does not match {context['pattern']}")
    if kind in _PLAIN:
        shown = "" if kind == "missing" else f", but is {given!r}"
        return Problem(path, f"{_PLAIN[kind]}{shown}")
    message = str(detail["msg"])
    if given is not None and not isinstance(given, (dict, list, tuple)) and repr(given) not in message:
        message = f"is {given!r}: {message[0].lower()}{message[1:]}"
    return Problem(path, message, str(context.get("hint", "")), str(context.get("rule", "")))


def _fields_at(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Names of the fields of the model that the location leads to; empty if it leads to none."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        current = next((arg for arg in _arguments(field.annotation) if hasattr(arg, "model_fields")), None) if field else None
        if current is None:
            return []
    return list(current.model_fields)


def _arguments(annotation: Any) -> list[Any]:
    inner = [found for arg in getattr(annotation, "__args__", ()) for found in _arguments(arg)]
    return [annotation, *inner]
