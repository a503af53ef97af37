"""A job's life on AWS by the command line, over the wire, to the small AWS Batch; plumbing and faults, not AWS's own semantics."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.batch_server import served
from tests.unit.aws.fake_batch import FakeBatch

ENVIRONMENT = "name: test\nqueue: batchhpc-test\nregion: eu-west-1\ninstance_types: [c7i.8xlarge]\nmax_vcpus: 256\n"
JOB = "name: kmers\nimage: example/kmers:1\ncommand: [kmers]\nnodes: 2\nmemory_per_node: 8 GiB\n"


class Aws:
    """The fake, and the command line that reaches it."""

    def __init__(self, fake, endpoint, directory):
        self.fake, self.directory = fake, directory
        (directory / "env.yaml").write_text(ENVIRONMENT)
        (directory / "job.yaml").write_text(JOB)
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
        self.env = {**os.environ, **keys, **nowhere, "AWS_ENDPOINT_URL": endpoint}

    def run(self, *words):
        program = [str(Path(sys.executable).with_name("batchhpc")), *words]
        return subprocess.run(program, env=self.env, cwd=self.directory, capture_output=True, text=True, timeout=60, check=False)

    def submit(self, *words):
        return self.run("submit", "job.yaml", "--environment", "env.yaml", *words)


@pytest.fixture
def aws(tmp_path):
    fake = FakeBatch()
    fake.queue()
    with served(fake) as endpoint:
        yield Aws(fake, endpoint, tmp_path)


def test_a_jobs_life(aws):
    """submit, status, list, logs and cancel, each by itself, tell one story."""
    job_id = aws.submit().stdout.strip()
    job = aws.fake.jobs[job_id]
    job.move("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none")
    shown = aws.run("status", job_id).stdout
    assert "place 1 of the 1 next" in shown
    assert "more instance types" in shown
    job.run()
    aws.fake.logs.put(job.nodes[1].stream, (1, "hello"))
    assert aws.run("logs", job_id).stdout == "[node 1] hello\n"
    assert json.loads(aws.run("list", "--environment", "env.yaml", "--json").stdout)["jobs"][0]["state"] == "RUNNING"
    assert aws.run("cancel", job_id).stdout == f"{job_id} terminated\n"
    assert aws.run("wait", job_id).returncode == 143


SPOT = ENVIRONMENT + "capacity: spot\nbucket: batchhpc-test\njob_role_arn: arn:aws:iam::123456789012:role/job\n"


def test_a_gangs_life(aws):
    """A gang is submitted, waits behind the one before it, loses a node, is shown node by node, and ends with its leader's code."""
    (aws.directory / "env.yaml").write_text(SPOT)
    aws.fake.queue(kind="SPOT")
    first = aws.submit().stdout.strip()
    said = aws.submit("--json")
    assert f"warning: queue batchhpc-test: has gang {first} (kmers), SUBMITTED" in said.stderr
    second = json.loads(said.stdout)
    assert (second["shape"], [each["rule"] for each in second["warnings"]]) == ("gang", ["R47"])
    third = aws.submit("--alongside").stdout.strip()
    assert aws.fake.jobs[third].depends_on == []
    gang = aws.fake.jobs[first]
    gang.run()
    aws.fake.logs.put(gang.children[1].stream, (1, "hello"))
    gang.children[1].finish(None, "", "Host EC2 (instance i-1) terminated.")
    gang.children[1].run()
    aws.fake.logs.put(gang.children[1].stream, (2, "hello again"))
    assert aws.run("logs", first).stdout == "[node 1] hello\n[node 1] hello again\n"
    nodes = json.loads(aws.run("status", first, "--json").stdout)["nodes"]
    assert [(each["index"], each["state"], len(each["earlier"])) for each in nodes] == [(0, "RUNNING", 0), (1, "RUNNING", 1)]
    gang.finish(3)
    assert aws.run("wait", first).returncode == 3
    assert aws.run("cancel", second["id"], third).stdout.count(" terminated") == 2


def test_a_lost_answer_and_throttling(aws):
    """A connection that closes after SubmitJob arrived makes no second job; throttling is tried again."""
    aws.fake.fault("SubmitJob", "lost", after=True)
    aws.fake.fault("DescribeJobQueues", "TooManyRequestsException")
    said = aws.submit()
    assert (said.returncode, len(aws.fake.jobs)) == (0, 1)
    assert "was not submitted again" in said.stderr


def test_expired_credentials(aws):
    """Expired credentials end a command with 69 and say what to do."""
    aws.fake.fault("DescribeJobs", "ExpiredTokenException", times=-1)
    said = aws.run("status", "x")
    assert (said.returncode, "sign in again" in said.stderr) == (69, True)


def test_unknown_job(aws):
    """An unknown job ends with 66."""
    assert aws.run("status", "nope").returncode == 66
