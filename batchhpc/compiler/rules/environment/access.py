"""Rules about what jobs may use, how resources are tagged, and how long logs are kept."""

from __future__ import annotations

from collections.abc import Iterator

from batchhpc.compiler.environment import ENVIRONMENT_TAG, EnvironmentPlan
from batchhpc.compiler.rules.containers import R17
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.compiler.rules.submission import R21, tag_problems
from batchhpc.errors import Severity
from batchhpc.spec.network import Outbound

R43 = Rule("R43", "Logs are kept for as many days as CloudWatch has a step for.")

_MOST_TAGS = 50
# The steps of PutRetentionPolicy
_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


@R17.environment
def secrets_of_the_region(plan: EnvironmentPlan) -> Iterator[Finding]:
    endpoints = plan.spec.network.is_new and plan.spec.network.outbound is Outbound.ENDPOINTS
    for i, arn in enumerate(plan.spec.access.secrets):
        service, region = arn.split(":")[2:4]
        path = f"access.secrets[{i}]"
        if service not in ("secretsmanager", "ssm"):
            message = f"is {arn}, but secrets come from Secrets Manager or SSM"
            yield Finding(path, message, "arn:aws:secretsmanager:...", waivable=False)
        elif region != plan.spec.region and endpoints:
            message = f"is in {region}, but VPC endpoints in {plan.spec.region} reach that Region's services only"
            yield Finding(path, message, "outbound: nat, or a copy of the secret")
        elif region != plan.spec.region:
            message = f"is in {region}, but the environment is in {plan.spec.region}: each start of a node depends on both"
            yield Finding(path, message, "a copy of the secret", Severity.WARNING)


@R21.environment
def tags(plan: EnvironmentPlan) -> Iterator[Finding]:
    given = plan.spec.tags
    yield from tag_problems("tags", given)
    if ENVIRONMENT_TAG in given:
        message = f"is {ENVIRONMENT_TAG}, which is added with the environment's name"
        yield Finding(f"tags.{ENVIRONMENT_TAG}", message, "leave it out", waivable=False)
    elif len(given) + 1 > _MOST_TAGS:
        message = f"{len(given) + 1} tags, batchhpc's own included, but a resource has at most {_MOST_TAGS}"
        yield Finding("tags", message)


@R43.environment
def retention(plan: EnvironmentPlan) -> Iterator[Finding]:
    days = plan.spec.log_days
    if days not in _DAYS:
        near = min(_DAYS, key=lambda step: (abs(step - days), step))
        message = f"is {days}, but CloudWatch keeps logs for {', '.join(map(str, _DAYS))} days"
        yield Finding("log_days", message, f"log_days: {near}", waivable=False)
