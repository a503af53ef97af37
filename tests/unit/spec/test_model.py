"""The habits all specs share: frozen, nothing unknown, checked again on every change."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment, JobSpec, Launcher, Memory, Mount, NodeGroup, Shape

FULL = """
name: full
image: example/image:1
command: [python, -m, program, --seed, 7]
nodes: 4
min_nodes: 2
ranks_per_node: 8
cpus_per_rank: 2
memory_per_node: 56 GiB
instance_type: c7i.4xlarge
env: {OMP_NUM_THREADS: 2, COUNTRY: no}
secrets: {TOKEN: "arn:aws:secretsmanager:us-east-1:000000000000:secret:token"}
mounts:
  - target: /fsx
  - {target: /efs, efs: {file_system_id: fs-12345678, root_directory: /data}, read_only: true}
shared_memory: 1 GiB
time_limit: 1:30:00
attempts: 2
launcher: mpich
node_groups: [{nodes: "0", memory_per_node: 60 GiB, env: {ROLE: first}}]
tags: {project: kmers}
parameters: {input: /fsx/genome.fna}
depends_on: [3f1c]
user: 1000
log: {driver: awslogs, options: {awslogs-group: /jobs}}
join_timeout: 5m
lost_after: 3s
shape: multinode
waive: {R11: "limit raised"}
overlay: {submit: {propagateTags: false}}
"""
SMALL: dict[str, Any] = {"name": "small", "image": "x", "command": "echo hi"}


def test_round_trip() -> None:
    """A spec with every field survives YAML, JSON and plain data, and stays equal."""
    spec = JobSpec.from_yaml(FULL)
    assert JobSpec.from_yaml(spec.to_yaml()) == spec
    assert JobSpec.from_json(spec.to_json()) == spec
    assert JobSpec.from_data(spec.to_data()) == spec


def test_only_what_was_written() -> None:
    """A spec is written down with the fields the user wrote, not with the defaults of this version."""
    assert JobSpec(**SMALL).to_data() == {"name": "small", "image": "x", "command": ["echo", "hi"]}


def test_python_yaml_and_json_agree() -> None:
    """The same job written in Python, YAML and JSON is the same spec."""
    python = JobSpec(name="a", image="x", command=("echo", "hi there"), nodes=2, memory_per_node=Memory.parse("2 GiB"))
    assert python == JobSpec.from_yaml("name: a\nimage: x\ncommand: echo 'hi there'\nnodes: 2\nmemory_per_node: 2048 MiB\n")
    assert python == JobSpec.from_json(
        '{"name": "a", "image": "x", "command": ["echo", "hi there"], "nodes": 2, "memory_per_node": "2 GiB"}'
    )


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "NO", "y"])
def test_words_are_text(word: str) -> None:
    """YAML 1.2: a country code or an answer is text, not a truth value."""
    assert JobSpec.from_yaml(f"name: {word}\nimage: x\ncommand: [echo, {word}]\nenv: {{A: {word}}}\n").env["A"] == word


def test_sexagesimal() -> None:
    """YAML 1.2: 1:30:00 is text, so an hour and a half, not 5400 of something."""
    assert str(JobSpec.from_yaml("name: a\nimage: x\ncommand: x\ntime_limit: 1:30:00\n").time_limit) == "1h30m"


def test_octal() -> None:
    """YAML 1.2: a leading zero makes no octal number."""
    assert JobSpec.from_yaml("name: a\nimage: x\ncommand: x\nnodes: 010\n").nodes == 10


def test_frozen() -> None:
    """Neither a field nor an entry of a mapping can be changed in place."""
    spec = JobSpec.from_yaml(FULL)
    with pytest.raises(ValidationError, match="frozen"):
        spec.nodes = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        spec.env["A"] = "b"  # type: ignore[index]
    assert isinstance(spec.mounts, tuple)


def test_replace() -> None:
    """A changed copy is checked as a whole: fields alone, and between each other; the original stays."""
    spec = JobSpec.from_yaml(FULL)
    assert spec.replace(nodes=8).nodes == 8
    assert spec.nodes == 4
    with pytest.raises(InvalidSpec, match="nodes: must be at least 1"):
        spec.replace(nodes=0)
    with pytest.raises(InvalidSpec, match="min_nodes: is 2, more than nodes, 1"):
        spec.replace(nodes=1)
    with pytest.raises(InvalidSpec, match="is not a field"):
        spec.replace(node=1)


def test_replace_keeps_nested() -> None:
    """A changed copy keeps mounts and groups that were given as objects."""
    spec = JobSpec(**SMALL, nodes=2, mounts=(Mount(target="/fsx"),), node_groups=(NodeGroup(nodes="1:"),))
    assert spec.replace(nodes=3).node_groups[0].bounds(3) == (1, 2)


@pytest.mark.parametrize(("text", "bounds"), [("0", (0, 0)), ("0:3", (0, 3)), ("4:", (4, 7)), (":", (0, 7)), (":2", (0, 2))])
def test_bounds(text: str, bounds: tuple[int, int]) -> None:
    """Ranges of nodes are read as AWS Batch reads them, and open ones end with the job's last node."""
    assert NodeGroup(nodes=text).bounds(8) == bounds


def test_truth_is_no_number() -> None:
    """True is not one node, though Python calls it an int."""
    with pytest.raises(InvalidSpec, match="nodes: must be a whole number, but is true"):
        JobSpec(**SMALL, nodes=True)
    with pytest.raises(InvalidSpec, match="must be a whole number, but is false"):
        Environment(max_vcpus=False)


def test_schema_accepts_what_the_model_accepts() -> None:
    """The JSON schema is valid, and accepts a spec with every field as a user writes it, and as it is written down."""
    written = YAML(typ="safe", pure=True).load(FULL)
    for kind, data in (
        (JobSpec, SMALL),
        (JobSpec, written),
        (JobSpec, JobSpec.from_yaml(FULL).to_data()),
        (Environment, Environment().model_dump(mode="json")),
    ):
        schema = kind.json_schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(data, schema)


@pytest.mark.parametrize("changes", [{"nodez": 1}, {"nodes": 0}, {"memory_per_node": "56"}, {"launcher": "slurm"}, {"name": "a b"}])
def test_schema_refuses_what_the_model_refuses(changes: dict[str, Any]) -> None:
    """The JSON schema refuses unknown fields and values that the model refuses, so that editors mark them."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**SMALL, **changes}, JobSpec.json_schema())


def test_schema_has_the_docstrings() -> None:
    """Every field of the schema carries its docstring, for editors."""
    fields = JobSpec.json_schema()["properties"]
    assert [name for name, field in fields.items() if "description" not in field] == []


def test_defaults_say_yes_to_one_node() -> None:
    """A spec of three fields is a job of one rank on one node with a time limit."""
    spec = JobSpec(**SMALL)
    assert (spec.nodes, spec.ranks_per_node, str(spec.time_limit), spec.launcher, spec.shape) == (
        1,
        1,
        "1h",
        Launcher.AUTO,
        Shape.AUTO,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"attempts": 11},
        {"priority": 10_000},
        {"share": "a-b"},
        {"depends_on": ["a"] * 21},
        {"node_groups": [{"nodes": "0"}] * 6},
        {"name": "n" * 129},
    ],
)
def test_schema_tells_limits_that_rules_check(changes: dict[str, Any]) -> None:
    """Limits of AWS that the model leaves to the compiler's rules are in the JSON schema, so that editors mark them."""
    JobSpec(**{**SMALL, "nodes": 9, **changes})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**SMALL, **changes}, JobSpec.json_schema())
