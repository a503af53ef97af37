"""The golden documents and error texts, written anew: ``python -m tests.contract.golden.regenerate``; then read the diff.

``good/NAME.yaml`` is a job and its environment, ``NAME.json`` what it compiles to, with the reason for its shape and its
warnings. ``broken/NAME.yaml`` is one that breaks rules, ``NAME.txt`` what its author reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from batchhpc.compiler import CompiledJob, compile_job
from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment, JobSpec

HERE = Path(__file__).parent


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


if __name__ == "__main__":
    for each in names("good"):
        (HERE / "good" / f"{each}.json").write_text(document(each))
    for each in names("broken"):
        (HERE / "broken" / f"{each}.txt").write_text(error_text(each))
