"""Ten thousand jobs listed and waited for: calls of AWS, memory and CPU time, against one DescribeJobs for each job.

Both sides ask the small AWS Batch of the unit tests, in this process, by a clock that only sleeping moves: calls take no time
there. So counts are exact, and CPU time is that of both the waiter and the service, without HTTP, signatures and parsers.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.jobs import JobState
from batchhpc.spec import Environment
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate
from benchmarks.report import run
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.fake_clients import Time, clients
from tests.unit.aws.fake_jobs import ENDED, FakeJob

JOBS = 10_000
SHORTEST, LONGEST = 60.0, 600.0  # seconds that a job runs
SELDOM, OFTEN = 30.0, 5.0  # seconds between two looks of the peer: our longest pause; about as late as ours
QUEUE = "batchhpc-test"
MIB = 1 << 20

Ended = Callable[[str], None]
"""Hears the id of each job as its waiter learns that it has ended."""


class Service:
    """AWS Batch with ten thousand jobs that end as its clock passes, evenly spread; their ends are made up beforehand."""

    def __init__(self) -> None:
        self.time, chance = Time(), random.Random(3)  # noqa: S311 - the same ends in each run
        self.fake = FakeBatch(clock=lambda: self.time.now, record=False)
        self.fake.queue(QUEUE)
        container = {"image": "example/kmers:1", "command": ["kmers", "-k", "21"]}
        register = {"jobDefinitionName": "kmers", "type": "container", "containerProperties": container}
        definition = self.fake.call("RegisterJobDefinition", register)["jobDefinitionArn"]
        self.ends: dict[str, float] = {}
        for number in range(JOBS):
            request = {"jobName": f"kmers-{number}", "jobQueue": QUEUE, "jobDefinition": definition}
            job_id = self.fake.call("SubmitJob", request)["jobId"]
            job = self.fake.jobs[job_id]
            job.run()
            job.finish()  # what the service keeps of an end is not to count as the waiter's memory
            job.own_status = "RUNNING"
            self.ends[job_id] = self.time.now + chance.uniform(SHORTEST, LONGEST)
        self._next = sorted(self.ends, key=self.ends.__getitem__, reverse=True)
        self.late = 0.0
        self.heard = 0
        self.time.on_sleep = self._pass
        self.clients = clients(self.fake, validate=False)
        self.fake.calls.clear()

    def _pass(self) -> None:
        while self._next and self.ends[self._next[-1]] <= self.time.now:
            job: FakeJob = self.fake.jobs[self._next.pop()]
            job.own_status = "SUCCEEDED"

    def ended(self, job_id: str) -> None:
        """Notes how late a waiter learns of an end."""
        self.late += self.time.now - self.ends[job_id]
        self.heard += 1

    @property
    def runner(self) -> BatchRunner:
        """Ours."""
        environment = Environment(name="test", queue=QUEUE, region="eu-west-1")
        return BatchRunner(environment, self.clients, pace=self.time.pace)


def wait_as_they_end(service: Service) -> None:
    for status in service.runner.as_ended(list(service.ends)):
        service.ended(status.id)


def wait_for_all(service: Service) -> list[Any]:
    return list(service.runner.wait_all(list(service.ends)))


def wait_one_by_one(interval: float, service: Service) -> None:
    """The peer: a call for each job, at a fixed interval."""
    waiting = list(service.ends)
    while waiting:
        left = []
        for job_id in waiting:
            (job,) = service.clients.batch.describe_jobs(jobs=[job_id])["jobs"]
            if job["status"] in ENDED:
                service.ended(job_id)
            else:
                left.append(job_id)
        waiting = left
        if waiting:
            service.time.sleep(interval)


def list_all(service: Service) -> list[Any]:
    return list(service.runner.jobs([JobState.RUNNING], limit=JOBS))


def list_one_by_one(service: Service) -> list[Any]:
    """The peer: pages of a hundred, then a call for each job."""
    found: list[Any] = []
    more: dict[str, Any] = {}
    while True:
        page = service.clients.batch.list_jobs(jobQueue=QUEUE, jobStatus="RUNNING", maxResults=100, **more)
        for each in page["jobSummaryList"]:
            found += service.clients.batch.describe_jobs(jobs=[each["jobId"]])["jobs"]
        if "nextToken" not in page:
            return found
        more = {"nextToken": page["nextToken"]}


def sample(work: Callable[[Service], object]) -> Sample:
    """Once for time, and once more, for that slows it down, for the peak of memory allocated meanwhile."""
    service = Service()
    wall, cpu = time.perf_counter(), time.process_time()
    kept = work(service)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    counts: dict[str, float] = {"calls": sum(service.fake.calls.values())}
    del kept
    traced = Service()
    tracemalloc.start()
    kept = work(traced)
    counts["peak MiB"] = round(tracemalloc.get_traced_memory()[1] / MIB, 1)
    tracemalloc.stop()
    del kept
    counts["late, mean s"] = round(service.late / service.heard, 1) if service.heard else float("nan")
    return Sample(wall, cpu, counts)


WORK = (
    ("list", list_all, "pages of 100, DescribeJobs of each", list_one_by_one, Goal("calls", 20)),
    (
        "wait, each as it ends",
        wait_as_they_end,
        "DescribeJobs of each every 30 s",
        partial(wait_one_by_one, SELDOM),
        Goal("peak MiB", 16),
    ),
    ("wait_all", wait_for_all, "DescribeJobs of each every 5 s", partial(wait_one_by_one, OFTEN), Goal("peak MiB", 32)),
)


def measure(options: Options) -> list[Row]:
    rows = []
    for work, ours, peer, theirs, goal in WORK:
        samples = alternate(partial(sample, ours), partial(sample, theirs), options.repeats)
        rows.append(Row(f"{JOBS:,} jobs: {work}", samples[0], peer, samples[1], goal))
    return rows


BENCHMARK = Benchmark("many_jobs", measure, 2, lambda _: {"botocore": version("botocore")})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
