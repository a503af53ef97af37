"""The mutation corpus: documents and specs broken in known ways, and who must notice.

The layers are: `spec` (the spec's own model), `fields` (the compiler's check of names and types), a rule number, `waive`
(the check of waivers), `botocore` (the SDK's validator), `walker` (enumerations and limits that the SDK skips), and
`cfn-lint` (on the rendered template). Each mutation of ``mutations.yaml`` names the one that must reject it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from batchhpc.compiler import RULES, check_documents, compile_job
from batchhpc.compiler.cloudformation import template
from batchhpc.errors import InvalidSpec, Problem, Severity
from batchhpc.spec import Environment, JobSpec
from tests.contract.aws_description import complaints_of_botocore, complaints_of_walker
from tests.contract.cfn_lint import complaints_of_cfn_lint
from tests.contract.golden.regenerate import case, compiled

_SPEC = {"name": "kmer", "image": "kmer:1.0", "command": ["kmer"]}
_STEP = re.compile(r"[^.\[\]]+")


def _expanded(value: Any) -> Any:
    if isinstance(value, dict):
        return value["of"] * value["times"] if set(value) == {"times", "of"} else {k: _expanded(v) for k, v in value.items()}
    return [_expanded(item) for item in value] if isinstance(value, list) else value


MUTATIONS: list[dict[str, Any]] = [
    _expanded(each) for each in YAML(typ="safe", pure=True).load((Path(__file__).parent / "mutations.yaml").read_text())
]


def _mutated(documents: dict[str, Any], mutation: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(documents))
    *steps, last = [int(step) if step.isdigit() else step for step in _STEP.findall(mutation["at"])]
    place: Any = made
    for step in steps:
        place = place[step]
    if "to" in mutation:
        place[last] = mutation["to"]
    else:
        del place[last]
    return made


@cache
def _good(name: str) -> tuple[str, Environment]:
    return compiled(name).to_json(), Environment.from_data(case("good", name)[1])


def _layers_of(problems: list[Problem]) -> set[str]:
    return {problem.rule or "fields" for problem in problems if problem.severity is Severity.ERROR}


def _rejecting(mutation: dict[str, Any]) -> set[str]:
    """Every layer that rejects a mutation; cfn-lint, which is slow, only if it is named."""
    if mutation["of"] == "spec":
        return _rejecting_spec(mutation["to"])
    text, environment = _good(mutation["of"])
    documents = _mutated(json.loads(text), mutation)
    layers = _layers_of(check_documents(documents["register"], documents["submit"], environment))
    layers |= {"botocore"} if complaints_of_botocore(documents) else set()
    layers |= {"walker"} if complaints_of_walker(documents) else set()
    if mutation["by"] == "cfn-lint":
        layers |= {"cfn-lint"} if complaints_of_cfn_lint(template(documents["register"])) else set()
    return layers


def _rejecting_spec(change: dict[str, Any]) -> set[str]:
    try:
        spec = JobSpec.from_data({name: value for name, value in {**_SPEC, **change}.items() if value is not None})
    except InvalidSpec:
        return {"spec"}
    try:
        compile_job(spec)
    except InvalidSpec as error:
        return {"waive" if problem.path.startswith("waive") else problem.rule or "fields" for problem in error.problems}
    return set()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{each['by']}: {each['is']} ({each['of']})" for each in MUTATIONS])
def test_a_broken_document_is_rejected_by_its_layer(mutation):
    """Each mutation is rejected, and by the layer that is there for it."""
    rejecting = _rejecting(mutation)
    assert rejecting, "passes every layer"
    assert mutation["by"] in rejecting


def test_the_corpus_is_large_and_covers_every_layer():
    """There are at least 80 mutations, no two alike, and every layer has some."""
    assert len(MUTATIONS) >= 80
    assert len({json.dumps(each, sort_keys=True) for each in MUTATIONS}) == len(MUTATIONS)
    assert {"spec", "fields", "waive", "botocore", "walker", "cfn-lint"} <= {each["by"] for each in MUTATIONS}


def test_every_rule_that_rejects_has_a_mutation():
    """Each rule that is an error rejects a mutation; only R32 and R67 depend on the environment alone (golden texts)."""
    rejecting = {number for number, rule in RULES.items() if rule.of_jobs and rule.severity is Severity.ERROR}
    assert rejecting - {each["by"] for each in MUTATIONS} == {"R32", "R67"}


def test_the_unbroken_documents_pass_every_layer():
    """What is mutated is good before: no layer rejects it."""
    for name in {each["of"] for each in MUTATIONS} - {"spec"}:
        text, environment = _good(name)
        documents = json.loads(text)
        assert _layers_of(check_documents(documents["register"], documents["submit"], environment)) == set()
    assert _rejecting_spec({}) == set()
