"""What the tests of jobs on AWS share: compiled jobs, and a runner before the small AWS Batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.compiler import CompiledJob, compile_job
from batchhpc.errors import Problem
from batchhpc.jobs import Job
from batchhpc.spec import Environment, JobSpec
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.fake_clients import Time, clients
from tests.unit.aws.fake_jobs import FakeJob

ENVIRONMENT = Environment(
    name="test",
    queue="batchhpc-test",
    instance_types=("c7i.8xlarge",),
    max_vcpus=256,
    secret_arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:batchhpc-test-AbCdEf",
    region="eu-west-1",
)


def compiled(nodes: int = 1, environment: Environment = ENVIRONMENT, **changes: Any) -> CompiledJob:
    """A job of so many nodes."""
    spec = {
        "name": "kmers",
        "image": "example/kmers:1",
        "command": ("kmers", "-k", "21"),
        "memory_per_node": "8 GiB",
        "nodes": nodes,
    }
    return compile_job(JobSpec(**{**spec, **changes}), environment)


@dataclass
class Aws:
    """A small AWS Batch, a runner before it, and what the runner warned of."""

    fake: FakeBatch = field(default_factory=FakeBatch)
    time: Time = field(default_factory=Time)
    warnings: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake.clock = lambda: self.time.now
        self.fake.queue()
        self.runner = BatchRunner(
            ENVIRONMENT, clients(self.fake), warn=self.warnings.append, pace=self.time.pace, new_token=self._token
        )
        self._tokens = 0

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    def submit(self, nodes: int = 1, **changes: Any) -> tuple[Job, FakeJob]:
        """A job of so many nodes, and what AWS Batch knows of it."""
        job = self.runner.submit(compiled(nodes, **changes))
        return job, self.fake.jobs[job.id]

    def array(self, size: int, name: str = "array") -> FakeJob:
        """An array that somebody else submitted."""
        arn = self.fake.call("RegisterJobDefinition", compiled(1).register)["jobDefinitionArn"]
        request = {"jobName": name, "jobQueue": "batchhpc-test", "jobDefinition": arn, "arrayProperties": {"size": size}}
        return self.fake.jobs[self.fake.call("SubmitJob", request)["jobId"]]
