"""Rules about what happens when a job fails, and how long it may run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from batchhpc.compiler.facts import DEFINITION, REQUEST, Facts
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity

R38 = Rule("R38", "A job is started 1 to 10 times.")
R39 = Rule("R39", "evaluateOnExit can be read, and ends with an entry that matches everything: what matches none is retried.")
R40 = Rule("R40", "A time limit is a whole number of seconds, at least 60; a stop grace likewise, at least 2.")

_REASON = re.compile(r"[A-Za-z0-9.:\s]*\*?", re.ASCII)
_EXIT_CODE = re.compile(r"[0-9]*\*?", re.ASCII)
_GRAMMARS = {
    "onStatusReason": (_REASON, "letters, digits, '.', ':', blanks and a '*' at the end"),
    "onReason": (_REASON, "letters, digits, '.', ':', blanks and a '*' at the end"),
    "onExitCode": (_EXIT_CODE, "digits and a '*' at the end"),
}
_MOST_ENTRIES = 5
_LONGEST = 512
_LEAST_SECONDS = 60


def _retries(facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, document in ((DEFINITION, facts.register), (REQUEST, facts.submit)):
        if "retryStrategy" in document:
            yield f"{path}.retryStrategy", document["retryStrategy"]


@R38.document
def attempts(facts: Facts) -> Iterator[Finding]:
    for path, each in _retries(facts):
        if not 1 <= each.get("attempts", 1) <= 10:
            yield Finding(f"{path}.attempts", f"is {each['attempts']}, but a job is started 1 to 10 times")


@R39.document
def evaluate_on_exit(facts: Facts) -> Iterator[Finding]:
    for path, each in _retries(facts):
        entries = each.get("evaluateOnExit", [])
        here = f"{path}.evaluateOnExit"
        if len(entries) > _MOST_ENTRIES:
            yield Finding(here, f"has {len(entries)} entries, but at most {_MOST_ENTRIES} may be")
        if entries and "attempts" not in each:
            yield Finding(f"{path}.attempts", "is missing, but evaluateOnExit needs it")
        for i, entry in enumerate(entries):
            yield from _entry(f"{here}[{i}]", entry)
        if each.get("attempts", 1) > 1 and not (entries and _matches_all(entries[-1])):
            yield Finding(
                here,
                "does not end with an entry that matches everything, so every other failure is retried, the program's own too",
                '{onReason: "*", action: EXIT} as the last entry',
                Severity.WARNING,
            )


def _matches_all(entry: dict[str, Any]) -> bool:
    conditions = [entry[name] for name in _GRAMMARS if name in entry]
    return bool(conditions) and all(text == "*" for text in conditions)


def _entry(path: str, entry: dict[str, Any]) -> Iterator[Finding]:
    action = entry.get("action")
    if action is not None and action.upper() not in ("RETRY", "EXIT"):
        yield Finding(f"{path}.action", f"is {action!r}, which is not RETRY or EXIT")
    if not any(name in entry for name in _GRAMMARS):
        yield Finding(path, "has no condition", f"one of {', '.join(_GRAMMARS)}")
    for name, (grammar, allowed) in _GRAMMARS.items():
        text = entry.get(name)
        if text is None:
            continue
        if len(text) > _LONGEST:
            yield Finding(f"{path}.{name}", f"has {len(text)} characters, but at most {_LONGEST} may be")
        elif not grammar.fullmatch(text):
            hint = "" if name == "onExitCode" else "end it with * before the first other sign: Host EC2*"
            yield Finding(f"{path}.{name}", f"is {text!r}, but only {allowed} may be", hint)


@R40.document
def time_limit(facts: Facts) -> Iterator[Finding]:
    for path, document in ((DEFINITION, facts.register), (REQUEST, facts.submit)):
        seconds = document.get("timeout", {}).get("attemptDurationSeconds")
        if seconds is not None and seconds < _LEAST_SECONDS:
            yield Finding(
                f"{path}.timeout.attemptDurationSeconds", f"is {seconds} s, but the shortest time limit is {_LEAST_SECONDS} s"
            )
