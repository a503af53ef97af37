"""A small AWS Batch in memory, by the rules R36 to R48 of its documentation; what carries jobs out is the test.

It answers operations by AWS's names with plain data. `fake_clients` puts an SDK client before it, which holds every request
and answer against botocore's description of AWS Batch, and `tests/e2e/batch_server.py` an HTTP server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.unit.aws.fake_jobs import ENDED, NOT_STARTED, FakeJob, Refusal
from tests.unit.aws.fake_logs import FakeLogs

ACCOUNT = "arn:aws:batch:eu-west-1:123456789012"
Answer = dict[str, Any]


@dataclass
class Fault:
    """An error that calls of an operation meet: AWS's code, or ``lost`` for a connection that closes."""

    code: str
    times: int
    after: bool  # the call is carried out, and only its answer is lost
    message: str = "as ordered"
    status: int = 400


class Lost(Exception):
    """The connection closes without an answer."""


@dataclass
class FakeBatch:
    """The service; times are Unix seconds by ``clock``, and ``calls`` counts operations."""

    clock: Callable[[], float] = lambda: 1_800_000_000.0
    logs: FakeLogs = field(default_factory=FakeLogs)
    calls: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    every_look: Callable[[], None] = lambda: None
    definitions: dict[str, Answer] = field(default_factory=dict)
    queues: dict[str, Answer] = field(default_factory=dict)
    environments: dict[str, Answer] = field(default_factory=dict)
    jobs: dict[str, FakeJob] = field(default_factory=dict)  # parents and container jobs, in the order of submission
    parts: dict[str, FakeJob] = field(default_factory=dict)  # those, nodes and children
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)
    record: bool = True

    # --- What a test sets up -------------------------------------------------------------------------------------------

    def queue(self, name: str = "batchhpc-test", *, kind: str = "EC2", max_vcpus: int = 256, **changes: Any) -> str:
        """A queue with one compute environment of the same name; gives its ARN."""
        environment = f"{ACCOUNT}:compute-environment/{name}"
        self.environments[name] = {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": environment,
            "type": "MANAGED",
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "computeResources": {
                "type": kind,
                "minvCpus": 0,
                "maxvCpus": max_vcpus,
                "instanceTypes": ["c7i.8xlarge", "hpc7a.96xlarge"],
                "subnets": ["subnet-1"],
            },
        }
        self.queues[name] = {
            "jobQueueName": name,
            "jobQueueArn": f"{ACCOUNT}:job-queue/{name}",
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": 1,
            "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": environment}],
            **changes,
        }
        return str(self.queues[name]["jobQueueArn"])

    def fault(self, operation: str, code: str, *, times: int = 1, after: bool = False, message: str = "as ordered") -> None:
        """Lets the next calls of an operation fail: ``lost`` closes the connection, ``after`` the call was carried out."""
        throttled = code == "TooManyRequestsException"
        status = 429 if throttled else 500 if code == "ServerException" else 400
        self.faults.setdefault(operation, []).append(Fault(code, times, after, message, status))

    def step(self) -> None:
        """Every job goes on by one state, as if it needed nothing and ended well."""
        for job in list(self.jobs.values()):
            job.step()

    # --- The service ---------------------------------------------------------------------------------------------------

    def call(self, operation: str, request: Any) -> Answer:
        """One call.

        Raises:
            Refusal: AWS says no.
            Lost: nobody says anything.
        """
        self.calls[operation] += 1
        if self.record:
            self.requests.append((operation, request))
        fault = next((each for each in self.faults.get(operation, []) if each.times), None)
        if fault:
            fault.times -= 1
            if fault.after:
                self._do(operation, request)
            if fault.code == "lost":
                raise Lost
            raise Refusal(fault.message, fault.code, fault.status)
        return self._do(operation, request)

    def _do(self, operation: str, request: Any) -> Answer:
        if operation == "GetLogEvents":
            return self.logs.get_log_events(request)
        if operation == "ListServiceQuotas":
            return {"Quotas": [{"QuotaName": name, "Value": value} for name, value in self.quotas.items()]}
        answer: Answer = _OPERATIONS[operation](self, request)
        return answer

    def _register(self, request: Any) -> Answer:
        name = request["jobDefinitionName"]
        revision = 1 + sum(each["jobDefinitionName"] == name for each in self.definitions.values())
        arn = f"{ACCOUNT}:job-definition/{name}:{revision}"
        self.definitions[arn] = {**_as_held(request), "jobDefinitionArn": arn, "revision": revision, "status": "ACTIVE"}
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def _describe_definitions(self, request: Any) -> Answer:
        wanted = [
            each
            for each in self.definitions.values()
            if each["jobDefinitionName"] == request.get("jobDefinitionName", each["jobDefinitionName"])
            and each["status"] == request.get("status", each["status"])
        ]
        return _paged("jobDefinitions", wanted, request, 100)

    def _submit(self, request: Any) -> Answer:
        queue = self._queue(request["jobQueue"])
        if queue is None or queue["state"] != "ENABLED":
            raise Refusal(f"Job queue {request['jobQueue']} is not valid")
        definition = self.definitions.get(request["jobDefinition"])
        if definition is None:
            raise Refusal(f"JobDefinition {request['jobDefinition']} not found")
        if bool(queue.get("schedulingPolicyArn")) != ("shareIdentifier" in request):
            raise Refusal("shareIdentifier must be given exactly if the queue has a scheduling policy")
        depends_on = [each["jobId"] for each in request.get("dependsOn", []) if "jobId" in each]
        if unknown := [each for each in depends_on if each not in self.parts]:
            raise Refusal(f"unknown jobs: {unknown}")
        job_id = f"{len(self.jobs) + 1:08x}-0000-4000-8000-000000000000"
        job = FakeJob.submitted(self, job_id, request, definition=definition, queue=queue["jobQueueArn"], depends_on=depends_on)
        self.jobs[job_id] = job
        self.parts.update({each.id: each for each in job.all_parts})
        return {"jobArn": job.arn, "jobName": job.name, "jobId": job_id}

    def _describe_jobs(self, request: Any) -> Answer:
        if len(request["jobs"]) > 100:
            raise Refusal("Job ids exceed the limit of 100")
        self.every_look()
        return {"jobs": [self.parts[each].detail for each in dict.fromkeys(request["jobs"]) if each in self.parts]}

    def _list_jobs(self, request: Any) -> Answer:
        if sum(name in request for name in ("jobQueue", "arrayJobId", "multiNodeJobId")) != 1:
            raise Refusal("You must specify only one of jobQueue, arrayJobId, multiNodeJobId")
        status, filters = request.get("jobStatus", "RUNNING"), request.get("filters", [])
        if "jobQueue" in request:
            queue = self._queue(request["jobQueue"])
            if queue is None:
                raise Refusal(f"{request['jobQueue']} does not exist")
            jobs = [each for each in self.jobs.values() if each.queue == queue["jobQueueArn"]]
        else:
            jobs = self.parts[request.get("arrayJobId") or request["multiNodeJobId"]].all_parts[1:]
            filters = []
        if filters:
            jobs = sorted((each for each in jobs if _matches(each, filters[0])), key=lambda each: -each.created)
        else:
            jobs = [each for each in jobs if each.status == status]
        return _paged("jobSummaryList", jobs, request, 100 if filters else 1000, lambda job: job.summary)

    def _cancel(self, request: Any) -> Answer:
        job = self.parts.get(request["jobId"])  # jobs that cannot be found count as done
        for each in job.leaves if job else ():
            if each.status in NOT_STARTED:
                each.cancel(request["reason"])
        return {}

    def _terminate(self, request: Any) -> Answer:
        job = self.parts.get(request["jobId"])
        for each in job.leaves if job else ():
            if each.status in NOT_STARTED:
                each.cancel(request["reason"])
            elif each.status not in ENDED:
                each.terminate(request["reason"])
        return {}

    def _describe_queues(self, request: Any) -> Answer:
        wanted = request.get("jobQueues")
        found = [each for each in self.queues.values() if not wanted or {each["jobQueueName"], each["jobQueueArn"]} & set(wanted)]
        return _paged("jobQueues", found, request, 100)

    def _describe_environments(self, request: Any) -> Answer:
        wanted = set(request.get("computeEnvironments", ()))
        names = ("computeEnvironmentName", "computeEnvironmentArn")
        found = [each for each in self.environments.values() if not wanted or {each[name] for name in names} & wanted]
        return _paged("computeEnvironments", found, request, 100)

    def _snapshot(self, request: Any) -> Answer:
        queue = self._queue(request["jobQueue"])
        if queue is None:
            raise Refusal(f"{request['jobQueue']} does not exist")
        front = [
            each for each in self.parts.values() if each.queue == queue["jobQueueArn"] and each.status == "RUNNABLE" and each.queued
        ]
        jobs = [{"jobArn": each.arn, "earliestTimeAtPosition": int(each.created * 1000)} for each in front[:100]]
        return {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": int(self.clock() * 1000)}}

    def _queue(self, name: str) -> Answer | None:
        return self.queues.get(name.rpartition("/")[2])


_OPERATIONS: dict[str, Callable[[FakeBatch, Any], Answer]] = {
    "RegisterJobDefinition": FakeBatch._register,
    "DescribeJobDefinitions": FakeBatch._describe_definitions,
    "SubmitJob": FakeBatch._submit,
    "DescribeJobs": FakeBatch._describe_jobs,
    "ListJobs": FakeBatch._list_jobs,
    "CancelJob": FakeBatch._cancel,
    "TerminateJob": FakeBatch._terminate,
    "DescribeJobQueues": FakeBatch._describe_queues,
    "DescribeComputeEnvironments": FakeBatch._describe_environments,
    "GetJobQueueSnapshot": FakeBatch._snapshot,
}


def _paged(name: str, items: list[Any], request: Any, most: int, show: Callable[[Any], Any] = lambda item: item) -> Answer:
    begin = int(request.get("nextToken", "page-0").removeprefix("page-"))
    end = begin + min(request.get("maxResults", most), most)
    more = {"nextToken": f"page-{end}"} if end < len(items) else {}
    return {name: [show(each) for each in items[begin:end]], **more}


def _matches(job: FakeJob, wanted: Any) -> bool:
    (value,), name = wanted["values"], wanted["name"]
    if name == "JOB_NAME":
        given, pattern = job.name.lower(), value.lower()
        return bool(given.startswith(pattern[:-1]) if pattern.endswith("*") else given == pattern)
    if name in ("AFTER_CREATED_AT", "BEFORE_CREATED_AT"):
        return bool((job.created * 1000 > int(value)) == (name == "AFTER_CREATED_AT"))
    raise Refusal(f"filter {name} is not one of this fake")


def _as_held(request: Any) -> Answer:
    """A definition as AWS Batch gives it back: empty members filled in, variables in another order, actions in lower case."""
    held: Answer = _copied(request)
    for entry in held.get("retryStrategy", {}).get("evaluateOnExit", []):
        entry["action"] = entry["action"].lower()
    for container in _containers(held):
        for name in ("volumes", "mountPoints", "environment", "ulimits", "secrets"):
            container.setdefault(name, [])
        container["environment"] = [each for each in reversed(container["environment"]) if each.get("value")]
    held.setdefault("parameters", {})
    held["containerOrchestrationType"] = "ECS"
    return held


def _containers(definition: Any) -> Iterator[Answer]:
    if "containerProperties" in definition:
        yield definition["containerProperties"]
    for each in definition.get("nodeProperties", {}).get("nodeRangeProperties", []):
        if "container" in each:
            yield each["container"]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list | tuple) else value
