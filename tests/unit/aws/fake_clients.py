"""The SDK's clients before the small AWS Batch: each request and each answer is held against botocore's description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from botocore import xform_name
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from batchhpc.aws.jobs.polling import Pace
from batchhpc.aws.sdk import Clients
from tests.unit.aws.fake_batch import FakeBatch, Lost
from tests.unit.aws.fake_jobs import Refusal


@cache
def operations(service: str) -> dict[str, OperationModel]:
    """The operations of a service by the SDK's names."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def check(value: Any, shape: Any) -> None:
    """Fails if a value is not what AWS describes: unknown members, missing ones, other types, lists too long."""
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()


@dataclass
class FakeClient:
    """One client; ``describe_jobs(...)`` and the like, refusals as the SDK raises them."""

    fake: FakeBatch
    service: str
    validate: bool = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in operations(self.service):
            raise AttributeError(name)
        return lambda **request: self._call(operations(self.service)[name], request)

    def _call(self, operation: OperationModel, request: dict[str, Any]) -> Any:
        if self.validate:
            check(request, operation.input_shape)
        try:
            answer = self.fake.call(operation.name, request)
        except Refusal as refusal:
            said = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            raise ClientError({**said, "ResponseMetadata": {"HTTPStatusCode": refusal.status}}, operation.name) from refusal  # type: ignore[typeddict-item]
        except Lost as lost:
            raise ConnectionClosedError(endpoint_url="https://batch.eu-west-1.amazonaws.com") from lost
        if self.validate:
            check(answer, operation.output_shape)
        return answer


@dataclass
class Time:
    """A clock that only sleeping moves, and that hears of it."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()

    @property
    def pace(self) -> Pace:
        """For those who wait: no chance, this clock."""
        return Pace(clock=lambda: self.now, now=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5)


def clients(fake: FakeBatch, *, validate: bool = True) -> Clients:
    """Clients that speak to a small AWS Batch."""
    made = Clients("eu-west-1")
    for name, service in (("batch", "batch"), ("batch_once", "batch"), ("logs", "logs"), ("quotas", "service-quotas")):
        cast(Any, made).__dict__[name] = FakeClient(fake, service, validate)
    return made
