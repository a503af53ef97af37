from __future__ import annotations

import json

import pytest

from batchhpc.compiler import RULES
from tests.contract.golden.regenerate import HERE, compiled, document, error_text, names


@pytest.mark.parametrize("name", names("good"))
def test_a_good_spec_compiles_to_its_golden_document(name):
    """Every good spec compiles to exactly the bytes that were read and agreed on."""
    assert document(name) == (HERE / "good" / f"{name}.json").read_text()


@pytest.mark.parametrize("name", names("broken"))
def test_the_author_of_a_broken_spec_reads_the_golden_text(name):
    """Every broken spec gives exactly the error text that was read and agreed on."""
    assert error_text(name) == (HERE / "broken" / f"{name}.txt").read_text()


@pytest.mark.parametrize("number", [number for number, rule in RULES.items() if rule.of_jobs])
def test_every_rule_has_a_golden_text(number):
    """For every rule there is a spec whose golden text shows it broken."""
    texts = [(HERE / "broken" / f"{name}.txt").read_text() for name in names("broken")]
    assert any(f"({number})" in text for text in texts)


@pytest.mark.parametrize("name", names("good"))
def test_a_name_says_what_is_in_the_definition(name):
    """The definition's name ends in a hash of its content, and the request submits that definition."""
    made = compiled(name)
    assert made.register["jobDefinitionName"].startswith("kmer-")
    assert made.submit["jobDefinition"] == made.register["jobDefinitionName"]
    assert json.loads(made.to_json()) == {"register": made.register, "submit": made.submit}


def test_only_what_is_in_a_definition_is_in_its_hash():
    """Another image makes another definition; another value of a parameter or another dependency does not."""
    from batchhpc.compiler import compile_job
    from batchhpc.spec import JobSpec
    from tests.contract.golden.regenerate import case

    spec = JobSpec.from_data({**case("good", "one-node")[0], "command": ["kmer", "Ref::k"], "parameters": {"k": "21"}})
    name = compile_job(spec).register["jobDefinitionName"]
    assert compile_job(spec.replace(parameters={"k": "31"})).register["jobDefinitionName"] == name
    assert compile_job(spec.replace(depends_on=["another-job"])).register["jobDefinitionName"] == name
    assert compile_job(spec.replace(image="other")).register["jobDefinitionName"] != name
