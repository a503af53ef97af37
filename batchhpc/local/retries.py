"""Whether AWS Batch tries a failed attempt again: ``evaluateOnExit`` (R39)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExitRule:
    """One entry of ``evaluateOnExit``: an action, and the conditions that must all hold; None is no condition."""

    retry: bool
    on_exit_code: str | None = None
    on_reason: str | None = None
    on_status_reason: str | None = None

    def matches(self, exit_code: int | None, reason: str, status_reason: str) -> bool:
        """Whether every condition holds. What an attempt does not have is empty, and so matches ``*`` only."""
        seen = "" if exit_code is None else str(exit_code)
        pairs = ((self.on_exit_code, seen), (self.on_reason, reason), (self.on_status_reason, status_reason))
        return all(pattern is None or _matches(pattern, text) for pattern, text in pairs)


def _matches(pattern: str, text: str) -> bool:
    """R39's glob: an asterisk at the end only, and case counts."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def exit_rules(entries: Iterable[Mapping[str, Any]]) -> tuple[ExitRule, ...]:
    """The rules of an ``evaluateOnExit`` list."""
    return tuple(
        ExitRule(
            retry=entry["action"].upper() == "RETRY",  # RETRY or EXIT, in any case (R39)
            on_exit_code=entry.get("onExitCode"),
            on_reason=entry.get("onReason"),
            on_status_reason=entry.get("onStatusReason"),
        )
        for entry in entries
    )


def wants_retry(rules: Sequence[ExitRule], *, exit_code: int | None, reason: str, status_reason: str) -> bool:
    """What the first matching rule says; without a match a failed attempt is retried (R39)."""
    for rule in rules:
        if rule.matches(exit_code, reason, status_reason):
            return rule.retry
    return True
