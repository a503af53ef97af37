"""From a job spec to the two requests that AWS Batch would get."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from batchhpc.compiler.check import check_job
from batchhpc.compiler.definition import register, submit
from batchhpc.compiler.documents import CompiledJob, canonical_json
from batchhpc.compiler.overlay import merged
from batchhpc.compiler.plan import make_plan
from batchhpc.errors import InvalidSpec, Severity
from batchhpc.spec import Environment, JobSpec

_HASH = 12  # hexadecimal digits: 48 bits tell any two definitions of one name apart
_LONGEST_NAME = 128  # R14


def compile_job(spec: JobSpec, environment: Environment | None = None) -> CompiledJob:
    """Compiles a job for an environment; the same spec and environment give the same bytes.

    Args:
        spec: what the user asks for.
        environment: where it is to run; one that nobody has deployed yet if left out.

    Raises:
        InvalidSpec: with every problem, warnings included, if one of them is an error.
    """
    environment = environment or Environment()
    plan = make_plan(spec, environment)
    overlay = cast(Mapping[str, Mapping[str, Any]], spec.overlay)
    registered = named(merged(register(plan), overlay.get("register", {})), spec.name)
    submitted = merged({**submit(plan), "jobDefinition": registered["jobDefinitionName"]}, overlay.get("submit", {}))
    problems = check_job(plan, registered, submitted)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidSpec(problems)
    return CompiledJob(plan.shape, plan.why, registered, submitted, tuple(problems), environment)


def named(definition: Mapping[str, Any], job: str) -> dict[str, Any]:
    """A definition with a name that says what is in it: the job's name and a hash, so that equal definitions are one."""
    digest = hashlib.sha256(canonical_json(definition).encode()).hexdigest()[:_HASH]
    return {"jobDefinitionName": f"{job[: _LONGEST_NAME - _HASH - 1]}-{digest}", **definition}
