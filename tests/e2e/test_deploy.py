"""deploy, plan, destroy and environments over the wire, against the emulator: what it proves is said in its docstring."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from batchhpc.aws.environments.deployed import deployed
from batchhpc.aws.sdk import Clients
from batchhpc.cli.main import main
from batchhpc.errors import EnvironmentNotFound, Unavailable
from tests.e2e.emulator import REGION, ROOT, Cli, Emulator
from tests.e2e.emulator.account import existing_network, left_of

SPEC = {"name": "genomics", "region": REGION, "instance_types": ["c7i.8xlarge"], "max_nodes": 4}
SOON = 30  # seconds
Said = tuple[int, str, str]


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Path]:
    """Writes the environment spec, with changes."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "environment.json"
        path.write_text(json.dumps({**SPEC, **changes}))
        return path

    return write


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that happens elsewhere."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)


def status(name: str = "batchhpc-genomics") -> str:
    return str(boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


@pytest.mark.parametrize("network", ["fresh", "existing"])
def test_an_environment_is_made_left_alone_changed_and_destroyed_without_a_trace(cli: Cli, spec, network: str):
    """An environment is made, deployed again without effect, changed in place, and destroyed so that nothing of it is left."""
    more = {} if network == "fresh" else {"network": existing_network()}
    before = left_of("genomics")
    code, out, err = cli("deploy", spec(**more), "--yes")
    assert (code, "environment genomics: created" in out) == (0, True), err
    code, out, _ = cli("deploy", spec(**more), "--yes")
    assert (code, out) == (0, "environment genomics: nothing to do, it is as the spec says\n")
    code, out, _ = cli("deploy", spec(**more, max_nodes=8), "--yes")
    assert code == 0
    assert re.search(r"~ +Batch::ComputeEnvironment +ComputeEnvironment ", out)
    assert "environment genomics: updated" in out
    code, out, _ = cli("destroy", "genomics", "--region", REGION, "--yes")
    assert (code, out.splitlines()[-1]) == (0, "environment genomics: destroyed, nothing is left")
    assert left_of("genomics") == before
    assert cli("destroy", "genomics", "--yes")[0] == 0


def test_a_plan_shows_and_leaves_nothing(cli: Cli, spec):
    """A plan of a new environment lists what it adds, and leaves neither change set nor stack behind."""
    code, out, _ = cli("--json", "plan", spec())
    plan = json.loads(out)
    assert (code, plan["new"], {each["action"] for each in plan["changes"]}) == (0, True, {"add"})
    assert plan["zone"].startswith("euw1-az")
    assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_plan_of_a_change_says_what_it_would_replace(cli: Cli, spec):
    """A plan of a change names properties, replacements, and drift that somebody made by hand."""
    assert cli("deploy", spec(), "--yes")[0] == 0
    code, out, _ = cli("--json", "plan", spec(max_nodes=9))
    changes = {each["logical"]: each for each in json.loads(out)["changes"]}
    assert (code, changes["ComputeEnvironment"]["action"]) == (0, "change")
    assert "ComputeResources" in changes["ComputeEnvironment"]["properties"]
    assert cli("plan", spec())[1].splitlines()[1] == "nothing to do: it is as the spec says"


def test_drift_is_noticed(cli: Cli, spec, emulator: Emulator):
    """What was changed by hand is named, with what it was and is."""
    assert cli("deploy", spec(), "--yes")[0] == 0
    emulator.drift("ComputeEnvironment", "/ComputeResources/MaxvCpus", "64")
    code, out, _ = cli("plan", spec(), "--drift")
    assert (code, "changed by hand: ComputeEnvironment" in out) == (0, True)
    assert "/ComputeResources/MaxvCpus: as deployed -> 64" in out


def test_the_zone_is_chosen_once(cli: Cli, spec):
    """The zone that the first deployment chose is kept by later ones."""
    assert cli("deploy", spec(), "--yes")[0] == 0
    _, out, _ = cli("--json", "plan", spec(max_nodes=9))
    zone = boto3.client("cloudformation").describe_stacks()["Stacks"][0]["Parameters"][0]["ParameterValue"]
    assert json.loads(out)["zone"] == zone


def test_a_zone_without_the_type_is_refused(cli: Cli, spec):
    """A zone that does not offer the instance type stops the deployment before anything is made (R94)."""
    code, _, err = cli("deploy", spec(availability_zone="euw1-az9"), "--yes")
    assert (code, "euw1-az9 does not offer c7i.8xlarge" in err, "R94" in err) == (2, True, True)
    assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_public_subnet_is_refused(cli: Cli, spec):
    """A subnet whose default route leads to an internet gateway is refused, since containers have no way out of it (R29)."""
    code, _, err = cli("plan", spec(network=existing_network(public=True)))
    assert (code, "is public" in err, "R29" in err) == (2, True, True)


def test_the_first_cause_is_named_and_the_next_try_goes_through(cli: Cli, spec, emulator: Emulator):
    """A resource that fails is named with its own reason, not CloudFormation's echo; a failed first deployment is cleared away."""
    emulator.fail_resource("NatGateway", "The maximum number of NAT gateways has been reached.")
    code, _, err = cli("deploy", spec(), "--yes")
    assert code == 76
    assert "environment genomics could not be made: NatGateway (AWS::EC2::NatGateway): The maximum number of NAT gateways" in err
    assert "cancelled" not in err
    assert status() == "ROLLBACK_COMPLETE"
    code, out, _ = cli("deploy", spec(), "--yes")
    assert (code, "what is left of it is removed" in out) == (0, True)
    assert status() == "CREATE_COMPLETE"


def test_a_change_that_fails_leaves_the_environment_as_it_was(cli: Cli, spec, emulator: Emulator):
    """A failed change is taken back and said; one that cannot be taken back is explained with the command that goes on."""
    assert cli("deploy", spec(), "--yes")[0] == 0
    emulator.fail_resource("ComputeEnvironment", "no service-linked role", operation="UPDATE", times=2)
    code, _, err = cli("deploy", spec(max_nodes=9), "--yes")
    assert (code, "ComputeEnvironment" in err, "as it was before" in err) == (76, True, True)
    emulator.fail_resource("ComputeEnvironment", "still none", operation="ROLLBACK")
    emulator.fail_resource("Vpc", "still none", operation="ROLLBACK")
    assert cli("deploy", spec(max_nodes=9), "--yes")[0] == 76
    code, _, err = cli("deploy", spec(max_nodes=9), "--yes")
    assert (code, "aws cloudformation continue-update-rollback" in err) == (77, True)


def test_throttling_is_waited_out(cli: Cli, spec, emulator: Emulator):
    """Throttled calls are tried again, and the deployment goes through."""
    emulator.fault("cloudformation", "DescribeStackEvents", "Throttling", times=3, message="Rate exceeded")
    emulator.fault("ec2", "DescribeInstanceTypeOfferings", "RequestLimitExceeded", times=2)
    assert cli("deploy", spec(), "--yes")[0] == 0


def test_an_expired_credential_is_said_and_the_deployment_resumed(cli: Cli, spec, emulator: Emulator):
    """Credentials that expire in mid-deployment end the command with the remedy; the same command then follows to the end."""
    emulator.hold("JobQueue")
    emulator.fault(
        "cloudformation", "DescribeStackEvents", "ExpiredToken", after=1, times=1, message="The security token is expired"
    )
    code, _, err = cli("deploy", spec(), "--yes")
    assert (code, "the credentials have expired" in err, "follows it" in err) == (69, True, True)
    assert status() == "CREATE_IN_PROGRESS"
    emulator.release()
    code, out, err = cli("deploy", spec(), "--yes")
    assert (code, "environment genomics:" in out) == (0, True), err
    assert status() == "CREATE_COMPLETE"


def test_a_connection_lost_for_a_while_does_not_end_the_deployment(cli: Cli, spec, emulator: Emulator):
    """A connection that is lost in mid-deployment is said, and followed again when it is back, by the same command."""
    emulator.fault("cloudformation", "DescribeStackEvents", "drop", times=8, after=1)  # all tries of one call
    code, out, err = cli("deploy", spec(), "--yes")
    assert (code, "cannot see what CloudFormation does" in out, "created" in out) == (0, True, True), err


def test_an_answer_that_is_lost_starts_nothing_twice(cli: Cli, spec, emulator: Emulator):
    """Where the request to start was carried out but its answer lost, the deployment is followed all the same."""
    emulator.fault("cloudformation", "ExecuteChangeSet", "drop", times=1)
    assert cli("deploy", spec(), "--yes")[0] == 0
    assert emulator.calls().count("cloudformation.ExecuteChangeSet") == 2


def test_ctrl_c_leaves_the_deployment_going_and_the_same_command_follows_it(cli: Cli, spec, emulator: Emulator):
    """Ctrl-C in mid-deployment ends the command only; the same command attaches to what goes on in AWS."""
    emulator.hold("JobQueue")
    path = spec()
    command = [sys.executable, "-c", "from batchhpc.cli.main import main; raise SystemExit(main())", "deploy", str(path), "--yes"]
    with subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "CREATE_IN_PROGRESS" in line:
                break
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=SOON)
    assert (first.returncode, "goes on in AWS" in err) == (130, True)
    threading.Timer(1.0, emulator.release).start()
    code, out, _ = cli("deploy", path, "--yes")
    assert (code, "this deployment is under way since" in out, "environment genomics: created" in out) == (0, True, True)


def test_a_second_deployment_at_once_is_refused_with_who_and_since_when(cli: Cli, spec, emulator: Emulator):
    """Another spec for an environment that is being deployed is refused, with who and since when; so are plan and destroy."""
    emulator.hold("JobQueue")
    first = threading.Thread(target=main, args=(["deploy", str(spec()), "--yes"],))
    first.start()
    until(lambda: "cloudformation.ExecuteChangeSet" in emulator.calls())
    until(lambda: status() == "CREATE_IN_PROGRESS")
    other = spec(max_nodes=7)
    code, _, err = cli("deploy", other, "--yes")
    assert (code, "is being deployed from another spec by" in err, "since 20" in err) == (77, True, True)
    assert cli("plan", other)[0] == 77
    assert cli("destroy", "genomics", "--yes")[0] == 77
    with pytest.raises(Unavailable, match="still being deployed"):
        deployed("genomics", Clients(REGION))
    emulator.release()
    first.join(SOON)
    assert status() == "CREATE_COMPLETE"


def test_data_are_deleted_only_when_told_to(cli: Cli, spec):
    """What holds data is listed and kept until --delete-data; then versions and unfinished uploads go, too."""
    storage = [{"name": "scratch", "mount": "/scratch", "lustre": {"data": [{"s3": "bucket/data"}]}}]
    storage += [{"name": "shared", "mount": "/shared", "efs": {}}]
    assert cli("deploy", spec(storage=storage), "--yes")[0] == 0
    s3, bucket = boto3.client("s3"), boto3.client("s3").list_buckets()["Buckets"][0]["Name"]
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="results/table", Body=body)
    s3.delete_object(Bucket=bucket, Key="results/table")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    code, _, err = cli("destroy", "genomics", "--yes")
    assert (code, "3 object versions" in err, "EFS fs-" in err, "Lustre fs-" in err) == (77, True, True, True)
    assert status() == "CREATE_COMPLETE"
    code, out, err = cli("destroy", "genomics", "--yes", "--delete-data")
    assert (code, out.splitlines()[-1]) == (0, "environment genomics: destroyed, nothing is left"), err
    assert left_of("genomics") == []


def test_a_store_is_not_replaced_by_the_way(cli: Cli, spec):
    """A change that would replace or take out a file system is refused, unless data loss is allowed."""
    storage = [{"name": "shared", "mount": "/shared", "efs": {}}]
    assert cli("deploy", spec(storage=storage), "--yes")[0] == 0
    code, _, err = cli("deploy", spec(), "--yes")
    assert (code, "data would be lost" in err, "--allow-data-loss" in err) == (77, True, True)
    assert cli("deploy", spec(), "--yes", "--allow-data-loss")[0] == 0


def test_termination_protection_holds_until_it_is_taken_back(cli: Cli, spec):
    """A protected environment is not destroyed; the spec takes the protection back."""
    assert cli("deploy", spec(termination_protection=True), "--yes")[0] == 0
    code, _, err = cli("destroy", "genomics", "--yes", "--delete-data")
    assert (code, "protected from termination" in err) == (77, True)
    code, out, _ = cli("deploy", spec(), "--yes")
    assert (code, "termination protection is off" in out) == (0, True)
    assert cli("destroy", "genomics", "--yes")[0] == 0


def test_what_cannot_be_deleted_is_named_and_the_next_try_goes_on(cli: Cli, spec, emulator: Emulator):
    """A resource that cannot be deleted is named; destroying again goes on from there."""
    assert cli("deploy", spec(), "--yes")[0] == 0
    emulator.fail_resource("NodeSubnet", "has dependencies and cannot be deleted", operation="DELETE")
    code, _, err = cli("destroy", "genomics", "--yes")
    assert (code, "NodeSubnet (AWS::EC2::Subnet): has dependencies" in err) == (76, True)
    assert status() == "DELETE_FAILED"
    assert cli("deploy", spec(), "--yes")[0] == 77
    assert cli("destroy", "genomics", "--yes")[0] == 0
    assert left_of("genomics") == []


def test_deployed_environments_are_found_by_name_and_listed(cli: Cli, spec):
    """A deployed environment gives its spec back, with the ARNs of its stack; one that is not there names those that are."""
    assert cli("deploy", spec(tags={"team": "kmers"}), "--yes")[0] == 0
    found, environment = deployed("genomics", Clients(REGION))
    assert found.to_data() == {**SPEC, "tags": {"team": "kmers"}}
    assert environment.queue == "batchhpc-genomics"
    assert environment.execution_role_arn.startswith("arn:aws:iam::123456789012:role/")
    with pytest.raises(EnvironmentNotFound, match="there are genomics"):
        deployed("genomic", Clients(REGION))
    code, out, _ = cli("--json", "environments")
    listed = json.loads(out)["environments"][0]
    assert (code, listed["name"], listed["max_nodes"], listed["state"]) == (0, "genomics", 4, "CREATE_COMPLETE")


def test_without_an_answer_nothing_is_done(cli: Cli, spec):
    """Where nobody can be asked and --yes is missing, nothing is done."""
    code, _, err = cli("deploy", spec())
    assert (code, "--yes" in err) == (77, True)
    assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []
