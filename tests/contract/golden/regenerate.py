"""The golden documents and error texts, written anew: ``python -m tests.contract.golden.regenerate``; then read the diff.

``good/NAME.yaml`` is a job and its environment, ``NAME.json`` what it compiles to, with the reason for its shape and its
warnings. ``broken/NAME.yaml`` is one that breaks rules, ``NAME.txt`` what its author reads. ``environments/good`` and
``environments/broken`` hold the same for environment specs, their templates and their errors; ``environments/good/NAME.roles.txt``
is all that the roles of such a template may do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from batchhpc.compiler import CompiledEnvironment, CompiledJob, compile_environment, compile_job
from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment, EnvironmentSpec, JobSpec
from tests.contract.roles import roles_text

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / "environments"


def names(kind: str) -> list[str]:
    """Names of the cases, good or broken."""
    return sorted(path.stem for path in (HERE / kind).glob("*.yaml"))


def case(kind: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data of a case: job and environment."""
    data = YAML(typ="safe", pure=True).load((HERE / kind / f"{name}.yaml").read_text())
    return data["job"], data.get("environment", {})


def compiled(name: str) -> CompiledJob:
    """A good case, compiled."""
    job, environment = case("good", name)
    return compile_job(JobSpec.from_data(job), Environment.from_data(environment))


def document(name: str) -> str:
    """What a good case becomes."""
    made = compiled(name)
    told = {"shape": made.shape.value, "why": made.why, "warnings": [problem.text() for problem in made.warnings]}
    return json.dumps({**told, **json.loads(made.to_json())}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def error_text(name: str) -> str:
    """What the author of a broken case reads; for one with warnings only, those."""
    job, environment = case("broken", name)
    try:
        made = compile_job(JobSpec.from_data(job, "job.yaml"), Environment.from_data(environment, "environment.yaml"))
    except InvalidSpec as error:
        return f"{error if error.document else error.of('job.yaml')}\n"
    return "".join(f"{problem.text('job.yaml')}\n" for problem in made.warnings)


def environment_names(kind: str) -> list[str]:
    """Names of the environments, good or broken."""
    return sorted(path.stem for path in (ENVIRONMENTS / kind).glob("*.yaml"))


def environment_case(kind: str, name: str) -> dict[str, Any]:
    """Data of an environment."""
    data: dict[str, Any] = YAML(typ="safe", pure=True).load((ENVIRONMENTS / kind / f"{name}.yaml").read_text())
    return data


def compiled_environment(name: str) -> CompiledEnvironment:
    """A good environment, compiled."""
    return compile_environment(EnvironmentSpec.from_data(environment_case("good", name)))


def environment_document(name: str) -> str:
    """What a good environment becomes."""
    made = compiled_environment(name)
    told = {"warnings": [problem.text() for problem in made.warnings], "template": made.template}
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def environment_roles(name: str) -> str:
    """What the roles of a good environment may do."""
    made = compiled_environment(name)
    return roles_text(made.template, made.plan.spec.region)


def environment_error_text(name: str) -> str:
    """What the author of a broken environment reads; for one with warnings only, those."""
    try:
        made = compile_environment(EnvironmentSpec.from_data(environment_case("broken", name), "environment.yaml"))
    except InvalidSpec as error:
        return f"{error if error.document else error.of('environment.yaml')}\n"
    return "".join(f"{problem.text('environment.yaml')}\n" for problem in made.warnings)


if __name__ == "__main__":
    for each in names("good"):
        (HERE / "good" / f"{each}.json").write_text(document(each))
    for each in names("broken"):
        (HERE / "broken" / f"{each}.txt").write_text(error_text(each))
    for each in environment_names("good"):
        (ENVIRONMENTS / "good" / f"{each}.json").write_text(environment_document(each))
        (ENVIRONMENTS / "good" / f"{each}.roles.txt").write_text(environment_roles(each))
    for each in environment_names("broken"):
        (ENVIRONMENTS / "broken" / f"{each}.txt").write_text(environment_error_text(each))
