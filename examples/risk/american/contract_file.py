"""Contracts from a YAML or JSON file: fields of one, or a list under ``contracts`` for which the others are defaults.

payoff: put
strike: 40
rate: 6%
volatility: 20%
expiry: 1
dates: 50
contracts:
  - {spot: 36, reference: 4.478}
  - {spot: 38}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from examples.risk.american.fields import Fields, shown
from examples.risk.american.trades import Trade, read_trade
from examples.workload.errors import Malformed
from examples.workload.files import source
from examples.workload.text import malformed

_LIST = "contracts"
_MOST = 1000
_MOST_DIGITS = 300  # of a whole number; a float holds up to 308
_MOST_OPEN = 16  # brackets at a time


def read_contracts(address: str, warnings: list[str]) -> list[Trade]:
    """All contracts of a file.

    Args:
        address: of the file, here or in S3.
        warnings: to which is added what is unusual, but not wrong.

    Raises:
        Malformed: with everything that is wrong.
        OSError: it cannot be read.
    """
    document = _parsed(address)
    if not isinstance(document, Mapping):
        raise Malformed(address, f"holds {_kind(document)}, but must hold fields such as 'payoff: put'")
    shared = {str(name): value for name, value in document.items() if name != _LIST}
    entries = document.get(_LIST, [{}])
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not 1 <= len(entries) <= _MOST:
        raise Malformed(address, f"is {_kind(entries)}, but must be a list of 1 to {_MOST} contracts", _LIST)
    problems: list[str] = []
    trades, names = [], dict[str, int]()
    for at, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            problems.append(f"{_LIST}[{at}]: is {_kind(entry)}, but must hold fields such as 'spot: 36'")
            continue

        def called(field: str, at: int = at, entry: Mapping[str, Any] = entry) -> str:
            name = field.partition("[")[0]
            inside = _LIST in document and (name in entry or name not in shared)
            where = f"{_LIST}[{at}].{field}" if inside else field
            line = _line(entry if inside else document, name)
            return f"line {line}, {where}" if line else where

        fields = Fields({**shared, **{str(name): value for name, value in entry.items()}}, called, problems)
        trade = read_trade(fields, f"contract {at + 1}", warnings)
        name = fields.text("name", f"contract {at + 1}")
        if name in names:
            problems.append(f"{called('name')}: {name} is {_LIST}[{names[name]}], too; names are told apart by")
        names.setdefault(name, at)
        trades += [trade] if trade else []
    if problems:
        raise malformed(address, list(dict.fromkeys(problems)))  # a wrong default is wrong in every contract, and told once
    return trades


def _parsed(address: str) -> Any:
    with source(address).stream() as file:
        content = file.read()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise Malformed(address, f"is not text in UTF-8: {error.reason} at byte {error.start}") from None
    try:
        return _json(address, text) if address.endswith(".json") else _yaml(address, text)
    except RecursionError:
        raise Malformed(address, "is nested too deeply for a contract", _deepest(text)) from None


def _json(address: str, text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Malformed(address, f"is not JSON: {error.msg}", f"line {error.lineno}, column {error.colno}") from None


def _integer(digits: str) -> float:
    """A number of JSON; one that no float can hold is infinite, as 1e400 is, and not of thousands of digits."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _yaml(address: str, text: str) -> Any:
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 - JSON does without
        from ruamel.yaml.error import MarkedYAMLError  # noqa: PLC0415
        from ruamel.yaml.reader import ReaderError  # noqa: PLC0415
    except ImportError:
        raise OSError(f"{address}: YAML needs ruamel.yaml\n  hint: pip install ruamel.yaml, or write the file as .json") from None
    try:
        return YAML().load(text)  # with the line of each key
    except MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}" if error.problem_mark else ""
        raise Malformed(address, f"is not YAML: {(error.problem or 'cannot be read').splitlines()[0]}", place) from None
    except ReaderError as error:
        raise Malformed(address, f"is not YAML: holds U+{ord(text[error.position]):04X}", _place(text, error.position)) from None
    except ValueError as error:  # of a scalar that looks like a date, or like a number of thousands of digits
        raise Malformed(address, f"has a value that cannot be read: {error}", _wrong_scalar(text)) from None


def _wrong_scalar(text: str) -> str:
    """Where the first value stands that looks like a date, or like a number, and is none."""
    from ruamel.yaml import YAML, ScalarNode  # noqa: PLC0415

    nodes, seen = [YAML().compose(text)], set[int]()  # a node may be in itself
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, ScalarNode):
            nodes += [each for entry in reversed(node.value) for each in (entry[::-1] if isinstance(entry, tuple) else (entry,))]
            continue
        try:
            YAML().load(node.value if node.style is None else "")
        except ValueError:
            return f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
    return ""


def _deepest(text: str) -> str:
    """Where more brackets are open than any contract needs; empty if it is nested without."""
    depth = 0
    for at, each in enumerate(text):
        depth += (each in "[{") - (each in "]}")
        if depth > _MOST_OPEN:
            return _place(text, at)
    return ""


def _place(text: str, at: int) -> str:
    lines = text[:at].split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _line(entry: Mapping[str, Any], field: str) -> int | None:
    """Where a field stands; None if it does not, or nobody counted."""
    places = getattr(getattr(entry, "lc", None), "data", None) or {}
    return places[field][0] + 1 if field in places else None


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else shown(value) if not isinstance(value, Mapping) else "a mapping"
