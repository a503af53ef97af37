"""What each node runs, read from the two documents."""

from __future__ import annotations

from typing import Any

import pytest

from batchhpc.errors import InvalidSpec, Unavailable
from batchhpc.local.definition import JobPlan, Kind, MountPoint, job_plan


def container(word: str, **more: Any) -> dict[str, Any]:
    return {"image": "image", "command": ["run", word], **more}


def plan(ranges: dict[str, dict[str, Any]], nodes: int, *, register: Any = None, main: int = 0, **submit: Any) -> JobPlan:
    groups = [{"targetNodes": target, "container": entry} for target, entry in ranges.items()]
    definition = {
        "jobDefinitionName": "definition",
        "type": "multinode",
        "nodeProperties": {"numNodes": nodes, "mainNode": main, "nodeRangeProperties": groups},
        **(register or {}),
    }
    return job_plan(definition, {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", **submit})


def words(made: JobPlan) -> list[str]:
    return [node.command[1] for node in made.nodes]


def single(properties: dict[str, Any], *, register: Any = None, **submit: Any) -> JobPlan:
    definition = {"jobDefinitionName": "definition", "type": "container", "containerProperties": properties, **(register or {})}
    return job_plan(definition, {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", **submit})


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (["0:3"], "aaaa"),
        ([":"], "aaaa"),
        (["0:"], "aaaa"),
        (["0:0", "1:"], "abbb"),
        ([":1", "2:3"], "aabb"),
        (["0:3", "1:2"], "abba"),
        (["1:2", "0:3"], "baab"),
        (["0:", "2:2"], "aaba"),
    ],
)
def test_ranges_cover_nodes_and_the_inner_one_wins(ranges: list[str], expected: str) -> None:
    """Each form of a range covers the nodes AWS Batch says, and a narrower range beats a wider one wherever it stands (R5)."""
    made = plan({target: container(word) for target, word in zip(ranges, "ab", strict=False)}, 4)
    assert "".join(words(made)) == expected


@pytest.mark.parametrize("ranges", [["1:"], ["0:1"], ["0:9"], ["2:1", "0:"], ["x"], [""], ["0", "1:"], ["0:", "4:"]])
def test_ranges_that_do_not_cover_the_nodes_are_refused(ranges: list[str]) -> None:
    """A gap, an end beyond the last node, or no range at all is an error that names the rule."""
    with pytest.raises(InvalidSpec, match=r"\(R5\)"):
        plan({target: container("a") for target in ranges}, 4)


def test_more_nodes_join_the_open_range() -> None:
    """SubmitJob's numNodes counts, and the open range takes the new nodes (R45)."""
    made = plan({"0:0": container("a"), "1:": container("b")}, 2, nodeOverrides={"numNodes": 4})
    assert words(made) == ["a", "b", "b", "b"]


def test_more_nodes_without_an_open_range_are_refused() -> None:
    """AWS Batch accepts another number of nodes only if the definition's last range is open (R45)."""
    with pytest.raises(InvalidSpec, match="R45"):
        plan({"0:1": container("a")}, 2, nodeOverrides={"numNodes": 4})


def test_overrides_replace_the_command_and_variables_by_name() -> None:
    """A range's override replaces its command and the variables it names, and leaves the rest and the other ranges alone."""
    environment = [{"name": "KEPT", "value": "1"}, {"name": "CHANGED", "value": "1"}]
    changed = [{"name": "CHANGED", "value": "2"}, {"name": "NEW", "value": "3"}]
    made = plan(
        {"0:0": container("a", environment=environment), "1:": container("b", environment=environment)},
        2,
        nodeOverrides={
            "nodePropertyOverrides": [
                {"targetNodes": "1:", "containerOverrides": {"command": ["run", "other"], "environment": changed}}
            ]
        },
    )
    assert words(made) == ["a", "other"]
    assert made.nodes[0].environment == {"KEPT": "1", "CHANGED": "1"}
    assert made.nodes[1].environment == {"KEPT": "1", "CHANGED": "2", "NEW": "3"}


def test_an_override_of_a_range_that_is_not_in_the_definition_is_refused() -> None:
    """Override targets must be written as in the definition, and the error is AWS Batch's own (R45)."""
    override = {"nodePropertyOverrides": [{"targetNodes": "0:1", "containerOverrides": {}}]}
    with pytest.raises(InvalidSpec, match="Non matching targets - 0:1"):
        plan({"0:": container("a")}, 2, nodeOverrides=override)


def test_parameters_fill_references() -> None:
    """SubmitJob's parameters beat the definition's, and an unknown reference stays as it is (R46)."""
    made = single(
        {"command": ["Ref::program", "--in=Ref::input", "Ref::out.dir", "Ref::unknown"]},
        register={"parameters": {"program": "old", "input": "default"}},
        parameters={"program": "new", "out.dir": "/data"},
    )
    assert made.nodes[0].command == ("new", "--in=default", "/data", "Ref::unknown")


def test_submit_replaces_retries_and_time_limit() -> None:
    """SubmitJob's retryStrategy and timeout replace the definition's as a whole."""
    register = {"retryStrategy": {"attempts": 5, "evaluateOnExit": [{"onReason": "*", "action": "EXIT"}]}}
    register["timeout"] = {"attemptDurationSeconds": 600}
    assert single({"command": ["a"]}, register=register).attempts == 5
    made = single({"command": ["a"]}, register=register, retryStrategy={"attempts": 2}, timeout={"attemptDurationSeconds": 60})
    assert (made.attempts, made.rules, made.time_limit) == (2, (), 60)


def test_an_array_is_as_many_nodes_that_are_tried_by_themselves() -> None:
    """Each child runs the container, overrides applied, and is a group and an id of its own; nodes of a job are one group (R60)."""
    made = single({"command": ["a"]}, arrayProperties={"size": 3}, containerOverrides={"command": ["b"]})
    assert (made.kind, made.main, [node.command for node in made.nodes]) == (Kind.ARRAY, 0, [("b",)] * 3)
    assert made.groups == (range(1), range(1, 2), range(2, 3))
    assert made.job_id("id", 2) == "id:2"
    whole = plan({"0:": container("a")}, 3)
    assert (whole.kind, whole.groups, whole.job_id("id", 2)) == (Kind.MULTINODE, (range(3),), "id")


def test_mounts_devices_and_shared_memory_are_read() -> None:
    """Mount points find their volumes, host directories and EFS file systems alike; devices and /dev/shm's size are known."""
    made = single(
        {
            "command": ["a"],
            "volumes": [
                {"name": "v", "host": {"sourcePath": "/fsx"}},
                {"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}},
            ],
            "mountPoints": [
                {"sourceVolume": "v", "containerPath": "/data", "readOnly": True},
                {"sourceVolume": "e", "containerPath": "/home"},
            ],
            "linuxParameters": {"devices": [{"hostPath": "/dev/infiniband/uverbs0"}], "sharedMemorySize": 512},
        }
    )
    (node,) = made.nodes
    assert node.mounts == (MountPoint("/fsx", "/data", read_only=True), MountPoint("fs-12345678", "/home"))
    assert node.devices == ("/dev/infiniband/uverbs0",)
    assert node.shared_memory == 512


@pytest.mark.parametrize(
    ("register", "submit", "error"),
    [
        ({"type": "eks"}, {}, InvalidSpec),
        ({"containerProperties": None, "ecsProperties": {}}, {}, Unavailable),
        ({"containerProperties": {"command": []}}, {}, Unavailable),
        ({}, {"jobDefinition": "another"}, InvalidSpec),
        ({}, {"arrayProperties": {"size": 1}}, InvalidSpec),
        ({"type": "multinode"}, {"arrayProperties": {"size": 4}}, InvalidSpec),
        ({}, {"dependsOn": [{"type": "SEQUENTIAL"}]}, InvalidSpec),
        ({}, {"timeout": {"attemptDurationSeconds": 59}}, InvalidSpec),
    ],
)
def test_what_cannot_run_is_refused(register: dict[str, Any], submit: dict[str, Any], error: type[Exception]) -> None:
    """Documents that Batch refuses are invalid, those that only Batch can run are unavailable."""
    with pytest.raises(error):
        single({"command": ["a"]}, register=register, **submit)


@pytest.mark.parametrize(
    ("properties", "where"),
    [
        ({"volumes": [{}]}, "volumes[0].name"),
        ({"volumes": [{"name": "v"}], "mountPoints": [{"sourceVolume": "v"}]}, "mountPoints[0].containerPath"),
        ({"mountPoints": [{"containerPath": "/v"}]}, "mountPoints[0].sourceVolume"),
        ({"environment": [{"value": "1"}]}, "environment[0].name"),
        ({"environment": [{"name": "A", "value": "a\0b"}]}, "NUL"),
        ({"command": ["a\0b"]}, "NUL"),
    ],
)
def test_broken_entries_are_problems_that_say_where(properties: dict[str, Any], where: str) -> None:
    """A part that is missing, or text that no program can be given, is an invalid document and never a crash."""
    with pytest.raises(InvalidSpec) as caught:
        single({"command": ["a"], **properties})
    assert where in str(caught.value)


@pytest.mark.parametrize("name", ["definition", "definition:7", "arn:aws:batch:eu-west-1:1:job-definition/definition:7"])
def test_the_definition_may_be_named_in_every_form(name: str) -> None:
    """Name, name with revision, and ARN all mean the definition that comes with the job."""
    assert single({"command": ["a"]}, jobDefinition=name).name == "job"
