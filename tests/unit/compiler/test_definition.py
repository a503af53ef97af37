from __future__ import annotations

from typing import Any

import pytest

from batchhpc.agent import contract
from batchhpc.compiler import compile_job
from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment, JobSpec

JOB = JobSpec(name="job", image="image", command=["program", "-x"])


def _containers(spec: JobSpec, environment: Environment | None = None) -> list[dict[str, Any]]:
    register = compile_job(spec, environment).register
    if "containerProperties" in register:
        return [register["containerProperties"]]
    return [each["container"] for each in register["nodeProperties"]["nodeRangeProperties"]]


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_agent_starts_the_command_and_is_told_all(nodes):
    """The command runs under the agent, and every variable of the contract is there."""
    container = _containers(JOB.replace(nodes=nodes))[0]
    assert container["command"] == [*contract.NODE_COMMAND, "program", "-x"]
    assert set(contract.COMPILED) <= set(_variables(container))


def test_each_range_is_told_of_its_own_ranks():
    """Ranks, cpus and threads of a group are in the variables of its range, those of the job in the others."""
    spec = JOB.replace(
        nodes=3, ranks_per_node=4, node_groups=[{"nodes": "1", "ranks_per_node": 2, "cpus_per_rank": 3, "env": {"A": "b"}}]
    )
    told = [_variables(container) for container in _containers(spec)]
    assert [each[contract.RANKS_PER_NODE] for each in told] == ["4", "2"]
    assert [each[contract.CPUS_PER_RANK] for each in told] == ["1", "3"]
    assert [each["OMP_NUM_THREADS"] for each in told] == ["1", "3"]
    assert [each.get("A") for each in told] == [None, "b"]


def test_a_user_may_set_the_number_of_threads():
    """OMP_NUM_THREADS of the spec, or of a group, wins over the number of cpus."""
    spec = JOB.replace(
        nodes=2, cpus_per_rank=4, env={"OMP_NUM_THREADS": 2}, node_groups=[{"nodes": "0", "env": {"OMP_NUM_THREADS": 1}}]
    )
    assert [_variables(container)["OMP_NUM_THREADS"] for container in _containers(spec)] == ["1", "2"]


def test_times_are_told_in_seconds():
    """Times are whole seconds, or exact decimals of them."""
    told = _variables(_containers(JOB.replace(join_timeout="1h", lost_after="1250ms"), Environment(stop_grace="2m"))[0])
    assert (told[contract.JOIN_TIMEOUT], told[contract.LOST_AFTER], told[contract.STOP_GRACE]) == ("3600", "1.25", "120")


def test_a_gang_is_told_where_its_record_is_and_how_long_to_wait():
    """Records are in the environment's bucket, times are seconds, and the fewest nodes are all unless the spec says fewer."""
    environment = Environment(capacity="spot", bucket="results")
    spec = JOB.replace(nodes=4, min_nodes=3, min_nodes_after="90s", reform_timeout="2500ms", time_limit="2h")
    told = _variables(_containers(spec, environment)[0])
    assert [told[name] for name in contract.COMPILED_FOR_GANGS] == ["s3://results/batchhpc/gangs", "3", "90", "2.5", "7200"]
    told = _variables(_containers(JOB.replace(nodes=4), environment)[0])
    assert [told[name] for name in contract.COMPILED_FOR_GANGS[1:]] == ["4", "120", "900", "3600"]


@pytest.mark.parametrize(("shape", "seconds"), [("multinode", "300"), ("gang", "1800")])
def test_a_gang_waits_longer_for_its_first_nodes(shape, seconds):
    """Nodes of a gang are started one by one, so it waits longer than a multi-node job, unless the spec says how long."""
    spec = JOB.replace(nodes=2, shape=shape)
    assert _variables(_containers(spec)[0])[contract.JOIN_TIMEOUT] == seconds
    assert _variables(_containers(spec.replace(join_timeout="7m"))[0])[contract.JOIN_TIMEOUT] == "420"


def test_only_lost_nodes_of_a_gang_are_started_again():
    """A gang that gave up its instances is not retried: only 75, lost hosts and image pulls are, child by child (R39, R60)."""
    made = compile_job(JOB.replace(nodes=2, shape="gang"))
    entries = made.register["retryStrategy"]["evaluateOnExit"]
    assert [entry["onExitCode"] for entry in entries if "onExitCode" in entry] == [str(contract.EXIT_INFRASTRUCTURE)]
    assert entries[-1] == {"onReason": "*", "action": "EXIT"}
    assert "retryStrategy" not in made.submit


def test_agents_of_several_nodes_share_a_secret():
    """Jobs of several nodes get the environment's secret beside the user's; a single node needs none."""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mine"
    environment = Environment(secret_arn=secret.replace("mine", "agents"))
    several = _containers(JOB.replace(nodes=2, secrets={"TOKEN": secret}), environment)[0]["secrets"]
    assert {each["name"]: each["valueFrom"] for each in several} == {"TOKEN": secret, contract.SECRET: environment.secret_arn}
    assert "secrets" not in _containers(JOB, environment)[0]


def test_only_lost_nodes_and_failed_pulls_are_tried_again():
    """The agent's code for lost nodes, lost hosts and failed image pulls are retried; the last entry ends all else (R39)."""
    retries = compile_job(JOB.replace(attempts=5)).register["retryStrategy"]
    assert retries["attempts"] == 5
    assert retries["evaluateOnExit"][0] == {"onExitCode": str(contract.EXIT_INFRASTRUCTURE), "action": "RETRY"}
    assert retries["evaluateOnExit"][-1] == {"onReason": "*", "action": "EXIT"}
    assert [each["action"] for each in retries["evaluateOnExit"]] == ["RETRY", "RETRY", "RETRY", "EXIT"]


def test_waivers_are_on_every_document():
    """A waived rule is a tag of definition and job, its reason in letters that tags may have, and a warning."""
    made = compile_job(JOB.replace(nodes=2, shape="multinode", waive={"R11": 'pilot "42" (AWS)'}), Environment(capacity="spot"))
    assert made.register["tags"]["batchhpc:waive:R11"] == made.submit["tags"]["batchhpc:waive:R11"] == "pilot _42_ _AWS_"
    assert [problem.waived for problem in made.warnings] == ['pilot "42" (AWS)']


def test_parameters_belong_to_the_job():
    """Values of parameters are in the request, not in the definition."""
    made = compile_job(JOB.replace(command=["program", "Ref::k"], parameters={"k": "31"}))
    assert made.submit["parameters"] == {"k": "31"}
    assert "parameters" not in made.register


def test_a_gang_is_an_array_of_whole_nodes():
    """A gang is an array of as many children as nodes, each as large as the type, tried again by itself."""
    made = compile_job(JOB.replace(nodes=4), Environment(capacity="spot", instance_types=["c7i.8xlarge"]))
    assert made.submit["arrayProperties"] == {"size": 4}
    assert made.register["type"] == "container"
    assert "instanceType" not in made.register["containerProperties"]
    assert made.register["containerProperties"]["resourceRequirements"][0] == {"type": "VCPU", "value": "32"}
    assert {"onStatusReason": "Host EC2*", "action": "RETRY"} in made.register["retryStrategy"]["evaluateOnExit"]


def test_a_long_name_is_cut():
    """The definition's name keeps its hash and stays within 128 characters (R14)."""
    name = compile_job(JOB.replace(name="n" * 128)).register["jobDefinitionName"]
    assert len(name) == 128
    assert name.startswith("n" * 115 + "-")


def test_the_overlay_comes_last():
    """Mappings of the overlay are merged key by key, all else is replaced, and the request follows a new name."""
    overlay = {
        "register": {"jobDefinitionName": "mine", "timeout": {"attemptDurationSeconds": 77}, "platformCapabilities": ["EC2"]},
        "submit": {"tags": {"a": "b"}},
    }
    made = compile_job(JOB.replace(tags={"c": "d"}, overlay=overlay))
    assert made.register["jobDefinitionName"] == made.submit["jobDefinition"] == "mine"
    assert made.register["timeout"] == {"attemptDurationSeconds": 77}
    assert made.submit["tags"] == {"a": "b", "c": "d"}
    assert made.register["containerProperties"]["image"] == "image"


def test_one_node_follows_its_one_group_and_no_two():
    """With one node its group's values hold, 0 B of a limit included; of two groups nobody says which wins (R5)."""
    made = compile_job(JOB.replace(node_groups=[{"nodes": 0, "ranks_per_node": 3, "env": {"A": "group"}}]))
    container = made.register["containerProperties"]
    assert container["resourceRequirements"][0] == {"type": "VCPU", "value": "3"}
    assert {"name": "A", "value": "group"} in container["environment"]
    for nodes, shape in ((1, "auto"), (1, "multinode"), (4, "multinode")):
        with pytest.raises(InvalidSpec, match=r"node_groups\[1\]\.nodes: '0' and ':0' share nodes.*\(R5\)"):
            compile_job(JOB.replace(nodes=nodes, shape=shape, node_groups=[{"nodes": "0"}, {"nodes": ":0"}]))


@pytest.mark.parametrize("field", ["memory_per_node", "shared_memory"])
def test_nothing_for_a_group_is_not_the_jobs_value(field):
    """A group's 0 B is told as too little, and does not become what the job has."""
    with pytest.raises(InvalidSpec, match=rf"node_groups\[0\]\.{field}: is 0 MiB"):
        compile_job(JOB.replace(nodes=2, **{field: "1 GiB"}, node_groups=[{"nodes": "0", field: "0 B"}]))


def test_a_secret_is_no_variable_as_well():
    """OMP_NUM_THREADS as a secret is not written as a variable, too; what an overlay gives twice is told (R17)."""
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter/threads"
    container = compile_job(JOB.replace(secrets={"OMP_NUM_THREADS": arn})).register["containerProperties"]
    assert "OMP_NUM_THREADS" not in [each["name"] for each in container["environment"]]
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    with pytest.raises(InvalidSpec, match=r"overlay\..*environment\[1\]\.name: is A, which .*environment\[0\] is already \(R17\)"):
        compile_job(JOB.replace(overlay={"register": {"containerProperties": {"environment": twice}}}))
    with pytest.raises(InvalidSpec, match=r"secrets\.AWS_BATCH_A: .*\(R16\)"):
        compile_job(JOB.replace(secrets={"AWS_BATCH_A": arn}))


def test_memory_of_the_whole_type_is_too_much_though_nothing_is_reserved():
    """All memory of a type is an error even where the environment reserves none for the host (R26)."""
    with pytest.raises(InvalidSpec, match=r"memory_per_node: .*\(R26\)"):
        compile_job(JOB.replace(instance_type="c7i.large", memory_per_node="4 GiB"), Environment(reserved_memory="0 B"))


@pytest.mark.parametrize(("fields", "set_"), [({}, "eu-west-1"), ({"env": {"AWS_REGION": "x"}}, None), ({"nodes": 1}, "eu-west-1")])
def test_the_sdks_look_in_the_environment_s_region(fields, set_):
    """Programs and agents find S3 where the nodes are, unless the job says otherwise."""
    (container,) = _containers(JOB.replace(**fields), Environment(region="eu-west-1"))
    assert _variables(container).get("AWS_DEFAULT_REGION") == set_
