"""Templates that an overlay broke so much that they are hardly templates: still judged, never crashed on."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.compiler import compile_environment
from batchhpc.compiler.check import check_environment
from batchhpc.compiler.stack.metadata import environment_data
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import EnvironmentSpec
from tests.contract.golden.regenerate import compiled_environment, environment_case, environment_names

NAMES = environment_names("good")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["Ref", "Vpc", "*", "efa"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(["Ref", "Fn::Sub", "Fn::GetAtt", "Type", "Properties", "Effect", "Action", "DependsOn"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@cache
def _places(name: str) -> list[tuple[Any, ...]]:
    """The way to each value of a golden template, sections and resources included."""
    found: list[tuple[Any, ...]] = []

    def walk(value: Any, way: tuple[Any, ...]) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            found.append((*way, key))
            walk(inner, (*way, key))

    walk(compiled_environment(name).template, ())
    return sorted(found, key=str)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_template_is_judged(data):
    """Any JSON at any places of a golden template gives problems with a path, and never an exception."""
    name = data.draw(st.sampled_from(NAMES))
    made = compiled_environment(name)
    template = deepcopy(made.template)
    for way in data.draw(st.lists(st.sampled_from(_places(name)), min_size=1, max_size=4)):
        *above, last = way
        holder: Any = template
        for key in above:
            if not (isinstance(holder, dict) and key in holder) and not (isinstance(holder, list) and isinstance(key, int)):
                break
            if isinstance(holder, list) and key >= len(holder):
                break
            holder = holder[key]
        else:
            if isinstance(holder, dict) or (isinstance(holder, list) and isinstance(last, int) and last < len(holder)):
                holder[last] = data.draw(JSON)
    problems = check_environment(made.plan, template)
    assert all(isinstance(problem, Problem) and isinstance(problem.text(), str) for problem in problems)
    environment_data(template)


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"Resources": {"Vpc": "x"}}, "overlay.Resources.Vpc: is 'x', not a resource"),
        ({"Resources": {"JobRole": [1]}}, "overlay.Resources.JobRole: is a list of 1, not a resource"),
        ({"Resources": {"Vpc": None}}, "overlay.Resources.Vpc: is null, which CloudFormation takes nowhere in a template"),
        ({"Resources": "none"}, "overlay.Resources: is 'none', not a mapping"),
        ({"Resources": {"Mine": {"Properties": {}}}}, "overlay.Resources.Mine: has no Type"),
        ({"Resources": {"Vpc": {"Type": 7}}}, "overlay.Resources.Vpc.Type: is 7, not text"),
        ({"Resources": {"Vpc": {"Properties": "x"}}}, "overlay.Resources.Vpc.Properties: is 'x', not a mapping"),
        ({"Resources": {"Vpc": {"Propertys": {"x": 1}}}}, "overlay.Resources.Vpc.Propertys: is no attribute of a resource"),
        (
            {"Resources": {"Vpc": {"DependsOn": {"x": 1}}}},
            "overlay.Resources.Vpc.DependsOn: is a mapping, not a name or a list of names",
        ),
        ({"Resources": {"Vpc": {"DependsOn": [1]}}}, "overlay.Resources.Vpc.DependsOn[0]: is 1, not a name"),
        ({"Resorces": {"Vpc": {}}}, "overlay.Resorces: is no section of a template"),
        ({"Description": 7}, "overlay.Description: is 7, not text"),
        ({"Outputs": {"VpcId": "x"}}, "overlay.Outputs.VpcId: is 'x', not a mapping"),
        ({"Metadata": ["x"]}, "overlay.Metadata: is a list of 1, not a mapping"),
    ],
    ids=str,
)
def test_what_is_no_template_is_refused_with_its_path(overlay, said):
    """An overlay that makes something else of a template, section, resource or attribute is told where."""
    spec = EnvironmentSpec.from_data({**environment_case("good", "minimal"), "overlay": overlay})
    with pytest.raises(InvalidSpec) as caught:
        compile_environment(spec)
    assert said in [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
