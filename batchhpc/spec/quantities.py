"""Amounts of memory and time, and rates, written as people write them and kept exact."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic_core import PydanticCustomError, core_schema

from batchhpc.spec.wording import shown

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

_NUMBER = r"([0-9]{1,30}(?:\.[0-9]{1,30})?)"


def _read_by(parse: Callable[[object], Any], examples: list[str]) -> core_schema.CoreSchema:
    """The schema of a quantity that is read from text and written as text."""

    def validate(value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            hint = f"write it with its unit: {', '.join(examples)}"
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error), "hint": hint}) from error

    return core_schema.no_info_plain_validator_function(
        validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
    )


class _Quantity(int):
    """A whole number of the smallest unit; equal and ordered as that number, printed in the largest unit that fits."""

    _units: ClassVar[dict[str, int]]  # unit -> how many of the smallest; printed with the largest that divides
    _what: ClassVar[str]
    _examples: ClassVar[list[str]]
    _pattern: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads ``56 GiB`` or ``1h30m``.

        Raises:
            ValueError: it is not such a text, or not a whole number of the smallest unit.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError(f"{shown(value)} is not {cls._what}")  # noqa: TRY004 - a wrong value, reported with the others
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} has no unit")  # noqa: TRY004 - a wrong value, reported with the others
        return cls(cls._count(value.strip()))

    @classmethod
    def _count(cls, text: str) -> int:
        raise NotImplementedError

    @classmethod
    def _whole(cls, text: str, amount: Fraction, unit: str) -> int:
        if amount.denominator != 1:
            raise ValueError(f"{shown(text)} is {float(amount):.10g} {unit}, which is not whole")
        return amount.numerator

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return _read_by(cls.parse, cls._examples)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls._pattern, "examples": cls._examples}


class Memory(_Quantity):
    """An amount of memory in bytes: ``56 GiB``, ``512 MiB``, ``1.5 GB``.

    The unit must be written: ``56`` alone would be MiB to AWS Batch and bytes to Docker.
    """

    _units: ClassVar[dict[str, int]] = {
        "TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1,
    }  # fmt: skip
    _what: ClassVar[str] = "an amount of memory"
    _examples: ClassVar[list[str]] = ["56 GiB", "512 MiB"]
    _pattern: ClassVar[str] = r"^\s*\d+(\.\d+)?\s*([KMGTkmgt][iI]?)?[bB]\s*$"

    @classmethod
    def _count(cls, text: str) -> int:
        match = re.fullmatch(_NUMBER + r"\s*([A-Za-z]+)", text)
        by_lower = {unit.lower(): size for unit, size in cls._units.items()}
        if not match or match[2].lower() not in by_lower:
            raise ValueError(f"{shown(text)} is not an amount of memory")
        return cls._whole(text, Fraction(match[1]) * by_lower[match[2].lower()], "bytes")

    @property
    def mib(self) -> Fraction:
        """The same in MiB, the unit of AWS Batch; exact, so not always whole."""
        return Fraction(int(self), 2**20)

    def __str__(self) -> str:
        whole = ((self // size, unit) for unit, size in self._units.items() if self % size == 0)
        count, unit = min(whole, key=lambda each: each[0])  # 56 GB, though it is 54687500 KiB as well
        return f"{count} {unit}" if self else "0 B"


class Duration(_Quantity):
    """A length of time in milliseconds: ``30m``, ``1h30m``, ``2.5s``, ``2d``, or as Slurm writes it, ``1:30:00``."""

    _units: ClassVar[dict[str, int]] = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    _what: ClassVar[str] = "a length of time"
    _examples: ClassVar[list[str]] = ["30m", "1h30m", "90s"]
    _pattern: ClassVar[str] = r"^\s*((\d+(\.\d+)?\s*(d|h|min|m|s|ms)\s*)+|\d+:[0-5]\d:[0-5]\d)\s*$"

    @classmethod
    def _count(cls, text: str) -> int:
        if clock := re.fullmatch(r"([0-9]{1,30}):([0-5][0-9]):([0-5][0-9])", text):
            hours, minutes, seconds = (int(part) for part in clock.groups())
            return 1000 * (3600 * hours + 60 * minutes + seconds)
        part = re.compile(_NUMBER + r"\s*(ms|min|d|h|m|s)\s*")
        if not text or re.sub(part, "", text):
            raise ValueError(f"{shown(text)} is not a length of time")
        total = sum(
            (Fraction(number) * cls._units["m" if unit == "min" else unit] for number, unit in part.findall(text)), Fraction()
        )
        return cls._whole(text, total, "ms")

    @property
    def seconds(self) -> Fraction:
        """The same in seconds, exact."""
        return Fraction(int(self), 1000)

    def __str__(self) -> str:
        rest, parts = int(self), []
        for unit, size in self._units.items():
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"


class Rate(Fraction):
    """How often something happens, per hour: ``0.02/h``, ``0.5/d``. Exact, and more than 0."""

    __slots__ = ()
    _examples: ClassVar[list[str]] = ["0.02/h", "0.5/d"]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads ``0.02/h``.

        Raises:
            ValueError: it is not such a text, or 0.
        """
        if isinstance(value, cls):
            return value
        match = re.fullmatch(_NUMBER + r"\s*/\s*(h|d)", value.strip()) if isinstance(value, str) else None
        if not match or not Fraction(match[1]):
            raise ValueError(f"{shown(value)} is not how often something happens")
        return cls(Fraction(match[1]) / (24 if match[2] == "d" else 1))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return _read_by(cls.parse, cls._examples)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*/\s*(h|d)\s*$", "examples": cls._examples}

    def __str__(self) -> str:
        whole = next((unit, amount) for unit, amount in (("h", Fraction(self)), ("d", 24 * Fraction(self))) if _decimal(amount))
        return f"{_decimal(whole[1])}/{whole[0]}"


def _decimal(amount: Fraction) -> str:
    """A number as an exact decimal; nothing if it has none."""
    rest, places = amount, 0
    while rest.denominator % 2 == 0 or rest.denominator % 5 == 0:
        rest, places = rest * 10, places + 1
    if rest.denominator != 1:
        return ""
    digits = f"{rest.numerator:0{places + 1}}"
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
