"""Rules of the same chapters that no job can break: what they are about is checked where it is decided."""

from __future__ import annotations

from typing import Final

_ENVIRONMENT = "checked when an environment is planned"

ELSEWHERE: Final = {
    "R29": f"subnets and NAT: {_ENVIRONMENT}",
    "R30": f"security groups: {_ENVIRONMENT}",
    "R33": f"one availability zone with a cluster placement group: {_ENVIRONMENT}",
    "R44": "CancelJob and TerminateJob are requests of a runner, not part of a job's documents",
    "R48": f"how many compute environments a queue has: {_ENVIRONMENT}",
    "R49": f"jobStateTimeLimitActions of a queue: {_ENVIRONMENT}",
    "R50": f"priority and compute environments of a queue: {_ENVIRONMENT}",
    "R52": "quota shares are for SageMaker service environments, which an Environment cannot describe",
    "R54": f"the machine image: {_ENVIRONMENT}",
    "R65": f"allocation strategy: {_ENVIRONMENT}",
    "R68": f"BEST_FIT with several EFA cards on Spot: {_ENVIRONMENT}",
    "R69": f"cluster placement group on Spot: {_ENVIRONMENT}",
    "R71": f"bundles of instance types have no EFA; an Environment's instance_types takes types only: {_ENVIRONMENT}",
    "R74": f"compute environment, roles, launch template: {_ENVIRONMENT}",
    "R75": f"launch template fields that AWS Batch ignores: {_ENVIRONMENT}",
    "R76": f"machine image types: {_ENVIRONMENT}",
}
