"""The rules that jobs and environments keep, by number: data for the documentation, and the functions that find them broken."""

from __future__ import annotations

from typing import Final

from batchhpc.compiler.rules import (
    containers,
    definition,
    environment,
    fabric,
    gangs,
    nodes,
    resources,
    retries,
    submission,
    template,
    wishes,
)
from batchhpc.compiler.rules.elsewhere import ELSEWHERE
from batchhpc.compiler.rules.rule import Finding, Rule

_TOPICS = (definition, nodes, resources, containers, fabric, retries, submission, *environment.TOPICS)

RULES: Final[dict[str, Rule]] = {
    rule.number: rule
    for rule in sorted(
        (value for topic in _TOPICS for value in vars(topic).values() if isinstance(value, Rule)),
        key=lambda rule: int(rule.number[1:]),
    )
}
assert all(each.__name__ for each in (wishes, gangs, template))  # their checks join the rules as they are imported

__all__ = ["ELSEWHERE", "RULES", "Finding", "Rule"]
