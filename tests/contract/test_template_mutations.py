"""The mutation corpus of templates: golden templates broken in known ways, and who must notice.

The layers are: the number of a rule that looks at templates; `document` (shape, dangling references, wildcards); and what
others say: `botocore` (the SDK's validator, of the requests that would make the resources), `walker` (enumerations and limits
of AWS's description) and `cfn-lint`.
"""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from batchhpc.compiler import RULES, CompiledEnvironment
from batchhpc.compiler.check import check_environment
from batchhpc.errors import Severity
from tests.contract.cfn_lint import complaints_of_cfn_lint
from tests.contract.golden.regenerate import compiled_environment
from tests.contract.template_values import complaints_of_services

_MUTATIONS: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (Path(__file__).parent / "environment_mutations.yaml").read_text()
)
TEMPLATES = [each for each in _MUTATIONS if "of" in each]
OTHERS = ("document", "botocore", "walker", "cfn-lint")

_golden = cache(compiled_environment)


def _broken(mutation: dict[str, Any]) -> dict[str, Any]:
    """The golden template with its one change."""
    template = deepcopy(_golden(mutation["of"]).template)
    *above, last = [int(part) if part.isdecimal() else part for part in mutation["at"].split(".")]
    holder: Any = template
    for part in above:
        holder = holder[part]
    if "to" not in mutation:
        del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(mutation["to"])
    else:
        holder[last] = mutation["to"]
    return template


def _rejecting(made: CompiledEnvironment, template: dict[str, Any], *, lint: bool) -> set[str]:
    """Every layer that rejects a template; services are asked only for what has a shape and no dangling reference."""
    problems = [each for each in check_environment(made.plan, template) if each.severity is Severity.ERROR]
    layers = {each.rule or "document" for each in problems}
    if "document" not in layers:
        layers |= {judge for judge, complaints in complaints_of_services(template).items() if complaints}
    return layers | ({"cfn-lint"} if lint and complaints_of_cfn_lint(template) else set())


@pytest.mark.parametrize("mutation", TEMPLATES, ids=[f"{each['by']}: {each['is']}" for each in TEMPLATES])
def test_a_broken_template_is_rejected_by_its_layer(mutation):
    """Each mutation is rejected, and by the layer that is there for it."""
    layers = _rejecting(_golden(mutation["of"]), _broken(mutation), lint=mutation["by"] == "cfn-lint")
    assert layers, "passes every layer"
    assert mutation["by"] in layers


@pytest.mark.parametrize("name", sorted({each["of"] for each in TEMPLATES}))
def test_an_unbroken_template_passes_every_layer(name):
    """What is mutated is good before: no layer rejects it."""
    made = _golden(name)
    assert _rejecting(made, made.template, lint=True) == set()


def test_the_corpus_is_large():
    """There are at least 40 mutations of templates, no two alike, and each of the layers that are no rule has some."""
    assert len(TEMPLATES) >= 40
    assert len({json.dumps([each["of"], each["at"], each.get("to")]) for each in TEMPLATES}) == len(TEMPLATES)
    assert set(OTHERS) <= {each["by"] for each in TEMPLATES}


def test_every_rule_that_rejects_templates_has_a_mutation():
    """Each rule on templates that is an error rejects a mutation."""
    rejecting = {number for number, rule in RULES.items() if rule.template_checks and rule.severity is Severity.ERROR}
    assert rejecting <= {each["by"] for each in TEMPLATES}
