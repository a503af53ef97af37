"""Rules that a spec waives, each with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from batchhpc.errors import Problem


def waiver_problems(waive: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with ``waive`` itself; whether there are such rules is the compiler's to say."""
    for rule, reason in waive.items():
        if not re.fullmatch(r"R\d{1,3}", rule):
            yield Problem(f"waive.{rule}", "is not a rule number", 'write it as in the message: {R11: "why"}')
        elif not reason.strip():
            yield Problem(f"waive.{rule}", "has no reason", "say why the rule does not hold for you")
