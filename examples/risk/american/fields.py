"""Values of the fields of a contract, from a file or a command line, checked one by one; problems are added to a list."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_PERCENT = "%"
_LARGEST_SHARE = 10.0  # beyond that no field is a rate or a volatility
_MOST_SHOWN = 60  # characters of a wrong value


class Fields:
    """The fields of one contract.

    A number may be written 0.06 or 6%, and several as a list or with commas between.

    Args:
        values: as they stand, by name.
        called: what a field is called to the user: its path in the file, or an argument.
        problems: to which is added what is wrong.
    """

    def __init__(self, values: Mapping[str, Any], called: Callable[[str], str], problems: list[str]) -> None:
        self._values, self._called, self._problems = values, called, problems
        self._before = len(problems)

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return len(self._problems) > self._before

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def wrong(self, name: str, what: str) -> None:
        """Say what is wrong with a field."""
        self._problems.append(f"{self._called(name)}: {what}")

    def only(self, names: Sequence[str]) -> None:
        """No other fields may be there."""
        for name in self._values:
            if name not in names:
                near = get_close_matches(str(name), names, 1)
                self.wrong(str(name), "is not a field of a contract" + (f"; did you mean {near[0]}?" if near else ""))

    def unused(self, names: Sequence[str], why: str) -> None:
        """None of these may be there."""
        for name in names:
            if name in self:
                self.wrong(name, why)

    def word(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        if name not in self:
            if default is None:
                self.wrong(name, f"is missing; give one of {', '.join(choices)}")
            return default or choices[0]
        if self._values[name] not in choices:
            self.wrong(name, f"is {shown(self._values[name])}, but must be one of {', '.join(choices)}")
            return default or choices[0]
        return str(self._values[name])

    def text(self, name: str, default: str) -> str:
        """Any words."""
        value = self._values.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, f"is {shown(value)}, but must be true or false")
            return default
        return default if value is None else value

    def number(self, name: str, limits: tuple[float, float], default: float | None = None, *, above: bool = False) -> float:
        """A number within the limits, both included but with ``above`` the lower one; nan after a problem."""
        if name not in self:
            if default is None:
                self.wrong(name, "is missing")
            return math.nan if default is None else default
        return self._checked(name, "", self._values[name], limits, above=above)

    def whole(self, name: str, limits: tuple[int, int], default: int) -> int:
        """A whole number within the limits, both included."""
        value = self.number(name, limits, default)
        if value != value // 1:
            if not math.isnan(value):
                self.wrong(name, f"is {value:g}, but must be a whole number")
            return default
        return int(value)

    def listed(self, name: str) -> list[Any] | None:
        """The items of a list, as they stand; None if it is one value, or not there."""
        value = self._values.get(name)
        if isinstance(value, str) and "," in value:
            return [part.strip() for part in value.split(",")]
        return list(value) if isinstance(value, (list, tuple)) else None

    def each(
        self, name: str, count: int, limits: tuple[float, float], default: float | None = None, *, above: bool = False
    ) -> list[float]:
        """A number for each asset: a list of so many, or one for all."""
        items = self.listed(name)
        if items is None:
            return [self.number(name, limits, default, above=above)] * count
        if len(items) != count:
            self.wrong(name, f"has {len(items)} numbers, but there are {count} assets")
            return [math.nan] * count
        return self.items(name, items, limits, above=above)

    def items(self, name: str, items: Sequence[Any], limits: tuple[float, float], *, above: bool = False) -> list[float]:
        """The numbers of a list, each checked."""
        return [self._checked(name, f"[{at}]", item, limits, above=above) for at, item in enumerate(items)]

    def _checked(self, name: str, place: str, value: Any, limits: tuple[float, float], *, above: bool) -> float:
        read = _number(value)
        if limits[0] <= read <= limits[1] and not (above and read == limits[0]):
            return read
        lower = f"above {limits[0]:g}, up to" if above else f"from {limits[0]:g} to"
        hint = f"; did you mean {read:g}%?" if limits[1] < read <= 100 * limits[1] and limits[1] <= _LARGEST_SHARE else ""
        self._problems.append(f"{self._called(name)}{place}: is {shown(value)}, but must be a number {lower} {limits[1]:g}{hint}")
        return math.nan


def _number(value: Any) -> float:
    """What is written; nan if it is no number."""
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    text = str(value).strip()
    try:
        return float(text.removesuffix(_PERCENT)) / (100 if text.endswith(_PERCENT) else 1)
    except ValueError:
        return math.nan


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, int) and abs(value) >= 10**_MOST_SHOWN:  # Python writes no more than 4,300 digits
        return f"a number of more than {_MOST_SHOWN} digits"
    try:
        text = repr(str(value)) if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):  # nested too deeply, or with such a number within
        return f"a {type(value).__name__} that is too long to be shown"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
