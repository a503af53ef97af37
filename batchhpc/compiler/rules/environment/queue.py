"""Rules about the job queue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.compiler.rules.submission import R51

R49 = Rule("R49", "The head of the queue waits 10 minutes to 24 hours for each reason, in whole seconds, or for ever.")
R50 = Rule("R50", "A queue's priority is 0 to 1000.")

_SHARE = re.compile(r"[A-Za-z0-9]{1,255}\*?", re.ASCII)
_WEIGHT = re.compile(r"\d{1,3}(\.\d{1,4})?", re.ASCII)
_MOST_SHARES = 500
_WEEK = 604_800


@R49.environment
def waits(plan: EnvironmentPlan) -> Iterator[Finding]:
    limits = plan.spec.queue.runnable_limit
    for name in type(limits).model_fields:
        limit = getattr(limits, name)
        if limit is None:
            continue
        path = f"queue.runnable_limit.{name}"
        if limit.seconds.denominator != 1:
            yield Finding(path, f"{limit} is {float(limit.seconds):g} s, but AWS Batch counts whole seconds")
        elif not 600 <= limit.seconds <= 86_400:
            message = f"is {limit}, {int(limit.seconds)} s, but must be 600 to 86400 s"
            yield Finding(path, message, "10m to 24h, or null to wait for ever")


@R50.environment
def priority(plan: EnvironmentPlan) -> Iterator[Finding]:
    if not 0 <= plan.spec.queue.priority <= 1000:
        yield Finding("queue.priority", f"is {plan.spec.queue.priority}, but a priority is 0 to 1000")


@R51.environment
def fair_share(plan: EnvironmentPlan) -> Iterator[Finding]:
    policy, path = plan.spec.queue.fair_share, "queue.fair_share"
    if policy is None:
        return
    yield from _shares(f"{path}.shares", policy.shares)
    if policy.decay.seconds.denominator != 1:
        yield Finding(f"{path}.decay", f"{policy.decay} is {float(policy.decay.seconds):g} s, but AWS Batch counts whole seconds")
    elif policy.decay.seconds > _WEEK:
        yield Finding(f"{path}.decay", f"is {policy.decay}, but must be at most 7 days ({_WEEK} s)", "7d")
    if not 0 <= policy.reservation <= 99:
        yield Finding(f"{path}.reservation", f"is {policy.reservation} %, but must be 0 to 99 %")


def _shares(path: str, shares: Mapping[str, str]) -> Iterator[Finding]:
    if len(shares) > _MOST_SHARES:
        yield Finding(path, f"has {len(shares)} shares, but at most {_MOST_SHARES} may be")
        return  # each against each would take long
    names = list(shares)
    for i, (name, weight) in enumerate(shares.items()):
        if not _SHARE.fullmatch(name):
            message = "is not a share: 1 to 255 letters and digits, and a * at its end for all that start so"
            yield Finding(f"{path}.{name}", message)
        if not _WEIGHT.fullmatch(weight) or not 0.0001 <= float(weight) <= 999.9999:
            yield Finding(f"{path}.{name}", f"is {weight!r}, but a weight is 0.0001 to 999.9999", "lower gets more", waivable=False)
        if other := next((other for other in names[:i] if _overlap(name, other)), None):
            yield Finding(f"{path}.{name}", f"overlaps {other}", "each share matches one line")


def _overlap(one: str, two: str) -> bool:
    shorter, longer = sorted((one, two), key=lambda name: len(name.rstrip("*")))
    return shorter.endswith("*") and longer.startswith(shorter[:-1])
