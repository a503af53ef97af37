"""The mutation corpus of environments: specs broken in known ways, and who must notice.

The layers are: `spec` (the spec's own model), a rule number, and `waive` (the check of waivers). Each mutation of
``environment_mutations.yaml`` names the one that must reject it. All of this happens before any call of AWS. The corpus holds
templates as well: `tests.contract.test_template_mutations` looks at those.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from batchhpc.compiler import RULES
from batchhpc.compiler.check import check_environment
from batchhpc.compiler.environment import plan_environment
from batchhpc.errors import InvalidSpec, Severity
from batchhpc.spec import EnvironmentSpec

_BASE = {"name": "prod", "region": "eu-north-1", "instance_types": ["hpc7a.96xlarge"], "max_nodes": 16}
_MUTATIONS: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (Path(__file__).parent / "environment_mutations.yaml").read_text()
)
SPECS = [each for each in _MUTATIONS if "of" not in each]


def _rejecting(change: dict[str, Any]) -> set[str]:
    """Every layer that rejects a spec; the rules look at an empty template, so that only the spec is judged."""
    try:
        spec = EnvironmentSpec.from_data({**_BASE, **change})
    except InvalidSpec:
        return {"spec"}
    problems = check_environment(plan_environment(spec), {"Resources": {}})
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    return {"waive" if problem.path.startswith("waive") else problem.rule for problem in errors}


@pytest.mark.parametrize("mutation", SPECS, ids=[f"{each['by']}: {each['is']}" for each in SPECS])
def test_a_broken_environment_is_rejected_by_its_layer(mutation):
    """Each mutation is rejected, and by the layer that is there for it."""
    rejecting = _rejecting(mutation["to"])
    assert rejecting, "passes every layer"
    assert mutation["by"] in rejecting


def test_the_unbroken_environment_passes_every_layer():
    """What is mutated is good before: no layer rejects it."""
    assert _rejecting({}) == set()


def test_the_corpus_is_large():
    """There are at least 70 mutations of specs, no two alike."""
    assert len(SPECS) >= 70
    assert len({json.dumps(each["to"], sort_keys=True) for each in SPECS}) == len(SPECS)


def test_every_rule_that_rejects_environments_has_a_mutation():
    """Each rule on specs of environments that is an error rejects a mutation."""
    rejecting = {number for number, rule in RULES.items() if rule.environment_checks and rule.severity is Severity.ERROR}
    assert rejecting <= {each["by"] for each in SPECS}
