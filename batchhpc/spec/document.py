"""A spec as a whole document: from and to YAML and JSON text, and its JSON schema."""

from __future__ import annotations

import io
import json
import re
from typing import Any, ClassVar, Self

from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec.model import Model


class _Duplicate(ValueError):
    """A JSON object has a name twice; the parser would keep the last value and say nothing."""


# What parsers let through for values that cannot be, dates like 2024-13-45 or numbers of 5,000 digits, and endless nesting.
_ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def _short(error: Exception) -> str:
    return " ".join(f"{error}".split())[:120] or type(error).__name__


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Duplicate(next(name for name in names if names.count(name) > 1))
    return found


def yaml_data(text: str, document: str = "") -> Any:
    """What YAML 1.2 says, as JSON types.

    Raises:
        InvalidSpec: it is not YAML.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - 60 ms that a Python user need not spend
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        data: Any = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}" if mark else ""
        what = error.problem or error.context or ""
        what = f"{error.context}, {what}" if what.startswith("but ") else what
        raise InvalidSpec([Problem(line, f"is not YAML: {what}")], document) from error
    except YAMLError as error:
        raise InvalidSpec([Problem("", f"is not YAML: {' '.join(str(error).split())}")], document) from error
    except _ODD as error:
        raise InvalidSpec([Problem("", f"is not YAML: {_short(error)}")], document) from error
    return data


def json_data(text: str, document: str = "") -> Any:
    """What JSON says.

    Raises:
        InvalidSpec: it is not JSON, or an object has a name twice.
    """
    try:
        data: Any = json.loads(text, object_pairs_hook=_unique)
    except _Duplicate as error:
        raise InvalidSpec([Problem(str(error), "is there twice")], document) from error
    except json.JSONDecodeError as error:
        raise InvalidSpec([Problem(f"line {error.lineno}", f"is not JSON: {error.msg}")], document) from error
    except _ODD as error:
        raise InvalidSpec([Problem("", f"is not JSON: {_short(error)}")], document) from error
    return data


class Document(Model):
    """A spec that a file can hold."""

    _DECISIVE: ClassVar[frozenset[str]] = frozenset()
    _STAND_INS: ClassVar[dict[str, Any]] = {}  # values of required fields, for a document that has wrong ones

    @classmethod
    def from_yaml(cls, text: str, document: str = "") -> Self:
        """Reads YAML 1.2 (so JSON, too).

        Args:
            text: the document.
            document: its name, for messages.

        Raises:
            InvalidSpec: with every problem found.
        """
        return cls.from_data(yaml_data(text, document), document)

    @classmethod
    def from_json(cls, text: str, document: str = "") -> Self:
        """Reads JSON.

        Raises:
            InvalidSpec: with every problem found.
        """
        return cls.from_data(json_data(text, document), document)

    @classmethod
    def from_data(cls, data: Any, document: str = "") -> Self:
        """Takes what a YAML or JSON parser gave.

        Raises:
            InvalidSpec: with every problem found.
        """
        if not isinstance(data, dict):
            given = "empty" if data is None else f"a {type(data).__name__}"
            raise InvalidSpec([Problem("", f"must be a mapping of names to values, but is {given}")], document)
        named = {str(name): value for name, value in data.items()}
        try:
            return cls(**named)
        except RecursionError as error:
            raise InvalidSpec([Problem("", "is nested too deeply")], document) from error
        except InvalidSpec as error:
            rest, more = cls._rest(named, error)
            more = tuple(problem for problem in more if problem not in error.problems)
            raise InvalidSpec([*error.problems, *more], document, rest) from error

    @classmethod
    def _rest(cls, data: dict[str, Any], error: InvalidSpec) -> tuple[Self | None, tuple[Problem, ...]]:
        """The document without its wrong fields, so that one look finds the problems of all others as well, or those.

        Nothing if a wrong field decides what others must be (`_DECISIVE`): what was found then might not be true.
        """
        wrong = {re.split(r"[.\[]", problem.path)[0] for problem in error.problems}
        if wrong & cls._DECISIVE:
            return None, ()
        stand_ins = {name: value for name, value in cls._STAND_INS.items() if name in wrong}
        try:
            return cls(**stand_ins, **{name: value for name, value in data.items() if name not in wrong}), ()
        except InvalidSpec as more:
            return None, more.problems

    def to_data(self) -> dict[str, Any]:
        """The fields the user wrote, as JSON types; ``from_data`` gives an equal spec back."""
        return self.model_dump(mode="json", exclude_unset=True)

    def to_json(self) -> str:
        """The fields the user wrote, as indented JSON."""
        return json.dumps(self.to_data(), indent=2)

    def to_yaml(self) -> str:
        """The fields the user wrote, as YAML."""
        from ruamel.yaml import YAML  # noqa: PLC0415 - 60 ms that a Python user need not spend

        text = io.StringIO()
        yaml = YAML()
        yaml.width = 120
        yaml.dump(self.to_data(), text)
        return text.getvalue()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON schema (2020-12) of the document, for editors and validators."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}
