from __future__ import annotations

from typing import Any

import pytest

from batchhpc.compiler.cloudformation import template
from tests.contract.aws_description import complaints_of_botocore, request_shape
from tests.contract.cfn_lint import complaints_of_cfn_lint
from tests.contract.golden.regenerate import compiled, names


@pytest.mark.parametrize("name", names("good"))
def test_cfn_lint_has_nothing_to_say(name):
    """Every golden definition, as a CloudFormation template, passes cfn-lint without an error or a warning."""
    assert complaints_of_cfn_lint(template(compiled(name).register)) == []


@pytest.mark.parametrize("name", names("good"))
def test_the_template_says_what_the_request_says(name):
    """Turned back by the API's own member names, the template's resource is the request, and the SDK takes it."""
    made = compiled(name)
    resource = template(made.register)["Resources"]["JobDefinition"]
    assert resource["Type"] == "AWS::Batch::JobDefinition"
    back = _request(resource["Properties"], request_shape("register"))
    assert back == made.register
    assert complaints_of_botocore({"register": back, "submit": made.submit}) == []


def _request(value: Any, shape: Any) -> Any:
    """A resource's properties with the member names of the API; maps of the user's names stay as they are."""
    if shape.type_name == "structure":
        names_of_api = {name.lower(): name for name in shape.members}
        return {
            names_of_api[name.lower()]: _request(inner, shape.members[names_of_api[name.lower()]]) for name, inner in value.items()
        }
    if shape.type_name == "list":
        return [_request(inner, shape.member) for inner in value]
    return value
