"""What a user reads who got a spec wrong: exact texts, in ``broken/NAME.txt`` beside each ``broken/NAME.yaml``."""

import os
from pathlib import Path

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment, JobSpec

BROKEN = sorted(Path(__file__).with_name("broken").glob("*.yaml"))


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_text(path: Path) -> None:
    """A broken spec is refused with exactly the text of its golden file."""
    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_yaml(path.read_text(), path.name)
    golden = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(f"{caught.value}\n")
    assert f"{caught.value}\n" == golden.read_text()


def test_every_problem_at_once() -> None:
    """All wrong fields of a document are reported together, not only the first."""
    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_yaml("image: x\ncommand: x\nnodes: 0\nranks_per_node: 0\ntime_limit: soon\n")
    assert [problem.path for problem in caught.value.problems] == ["name", "nodes", "ranks_per_node", "time_limit"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": }', "job.json: line 1: is not JSON: Expecting value"),
        ("[]", "job.json: must be a mapping of names to values, but is a list"),
        ('{"name": "a", "image": "x", "command": "x", "name": "b"}', "job.json: name: is there twice"),
        ('{"name": "a", "image": "x", "command": "x", "env": {"A": "1", "A": "2"}}', "job.json: A: is there twice"),
    ],
)
def test_json(text: str, message: str) -> None:
    """JSON that is broken, no object, or has a name twice is refused as YAML would be."""
    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_json(text, "job.json")
    assert str(caught.value) == message


def test_environment() -> None:
    """An environment spec is refused in the same words as a job spec."""
    with pytest.raises(InvalidSpec) as caught:
        Environment.from_yaml("capacity: spt\nqueue: ''\ninstance_types: c7i.large\nreserved_memory: 32\n", "spot.yaml")
    assert str(caught.value).splitlines() == [
        "spot.yaml: queue: must not be empty",
        "spot.yaml: capacity: is 'spt', which is not one of 'on-demand' or 'spot'",
        "spot.yaml: instance_types: must be a list, but is 'c7i.large'",
        "spot.yaml: reserved_memory: 32 has no unit",
        "  hint: write it with its unit: 56 GiB, 512 MiB",
    ]
