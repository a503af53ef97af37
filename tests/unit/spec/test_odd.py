"""Input nobody means: it ends in InvalidSpec, whatever Python or a parser raises on the way."""

import copy
import pickle
from typing import Any

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.spec import JobSpec

HEAD = "name: a\ncommand: x\n"
SPEC = JobSpec.from_yaml(HEAD + "image: x\nenv: {A: b}\noverlay: {register: {a: [1, {b: 2}]}}\n")


@pytest.mark.parametrize(
    "text",
    [
        f"nodes: {'9' * 5000}",
        f"nodes: 1{'0' * 30}",
        "nodes: 2024-13-45",
        "nodes: !!int foo",
        "image: !!bool foo",
        "[" * 100_000,
        f"overlay: {{register: {'[' * 900}{']' * 900}}}",
        f"memory_per_node: {'9' * 400}.5 GiB",
        f"time_limit: '{'9' * 5000}h'",
        f"node_groups: [{{nodes: '{'9' * 5000}'}}]",
        f"env: {{A: 1{'0' * 2000}}}",
    ],
)
def test_odd_yaml(text: str) -> None:
    """YAML that no job can be made of is refused, in a message that can be read."""
    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_yaml(f"{HEAD}{text}\n")
    assert all(len(line) < 400 for line in str(caught.value).splitlines())


@pytest.mark.parametrize("text", [f'{{"nodes": {"9" * 5000}}}', "[" * 100_000, '{"a":' * 100_000])
def test_odd_json(text: str) -> None:
    """JSON that Python cannot hold is refused as what is not JSON."""
    with pytest.raises(InvalidSpec, match="is not JSON: "):
        JobSpec.from_json(text)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"image": "a{}"}, "image"),
        ({"command": ["a", "{}"]}, "command[1]"),
        ({"env": {"A": "{}"}}, "env.A"),
        ({"env": {"A{}": "b"}}, "env.A?"),
        ({"mounts": [{"target": "/{}"}]}, "mounts[0].target"),
        ({"overlay": {"register": {"a": ["{}"]}}}, "overlay.register.a[0]"),
    ],
)
def test_characters_that_cannot_be_written(changes: dict[str, Any], path: str, character: str) -> None:
    """NUL and halves of surrogate pairs are refused wherever they stand, in a message that can be written."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name.replace("{}", character): filled(inner) for name, inner in value.items()}
        return [filled(inner) for inner in value] if isinstance(value, list) else value.replace("{}", character)

    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_data({"name": "a", "image": "x", "command": "x", **filled(changes)})
    assert [problem.path for problem in caught.value.problems] == [path]
    assert str(caught.value).encode()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda spec: pickle.loads(pickle.dumps(spec))])  # noqa: S301
def test_copies(copied: Any) -> None:
    """A spec can be copied and pickled, and the copy is as frozen as the original."""
    made = copied(SPEC)
    assert made == SPEC
    assert made.to_yaml() == SPEC.to_yaml()
    with pytest.raises(TypeError, match="cannot be changed"):
        made.env["A"] = "c"
    with pytest.raises(TypeError, match="cannot be changed"):
        made.overlay["register"]["a"].append(1)
    with pytest.raises(TypeError, match="cannot be changed"):
        made.overlay["register"]["a"][1].update(b=3)


def test_a_group_of_one_node_needs_no_quotes() -> None:
    """YAML reads the range 0 as a number; it is meant as text."""
    assert JobSpec.from_yaml(f"{HEAD}image: x\nnode_groups: [{{nodes: 0}}]\n").node_groups[0].nodes == "0"


def test_a_secret_is_no_variable_of_a_group() -> None:
    """A name that is among the secrets cannot be a variable of a node group, too."""
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter/a"
    with pytest.raises(InvalidSpec, match=r"node_groups\[0\]\.env\.A: is also in secrets"):
        SPEC.replace(env={}, secrets={"A": arn}, nodes=2, node_groups=[{"nodes": "0", "env": {"A": "b"}}])


@pytest.mark.parametrize(
    "field", ["min_nodes_after", "reform_timeout", "join_timeout", "lost_after", "checkpoint_time", "checkpoint_interval"]
)
def test_waits_are_positive(field: str) -> None:
    """A wait of no time at all would end every job, and is refused."""
    with pytest.raises(InvalidSpec, match=f"{field}: must be more than 0s, but is 0s"):
        SPEC.replace(**{field: "0s"})
