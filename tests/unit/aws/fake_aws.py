"""The SDK's own clients, paginators and all, with answers of the test instead of a network.

Requests are held against botocore's description by the SDK itself, and answers by this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader
from botocore.model import OperationModel

from batchhpc.aws.sdk import Clients
from tests.unit.aws.fake_clients import check
from tests.unit.aws.fake_jobs import Refusal

REGION = "eu-west-1"
Request = dict[str, Any]
Answer = dict[str, Any]
Said = Answer | Exception | Callable[[Request], Answer]


@cache
def _loader() -> Loader:
    return create_loader()


@dataclass
class FakeAws:
    """What AWS answers, by ``service.Operation``; anything else is a failure of the test.

    Attributes:
        calls: operations and their requests, in order.
    """

    calls: list[tuple[str, Request]] = field(default_factory=list)
    _answers: dict[str, list[Said]] = field(default_factory=dict)

    def on(self, operation: str, *answers: Said) -> FakeAws:
        """Answers of one operation, one after the other; the last holds from then on. Functions get the request."""
        self._answers[operation] = list(answers)
        return self

    def serve(self, service: str, fake: object) -> FakeAws:
        """Answers operations of a service by the methods of that name of an object: ``DescribeFileSystems``."""
        for name in dir(fake):
            if name[0].isupper():
                self.on(f"{service}.{name}", getattr(fake, name))
        return self

    def asked(self, operation: str) -> list[Request]:
        """Requests of one operation."""
        return [request for name, request in self.calls if name == operation]

    @property
    def names(self) -> list[str]:
        """Operations in order."""
        return [name for name, _ in self.calls]

    @property
    def clients(self) -> Clients:
        """Clients of one Region that speak to this."""
        inner = botocore.session.Session()
        inner.register_component("data_loader", _loader())
        inner.set_credentials("AKIDEXAMPLE", "not a secret")
        inner.register("before-parameter-build", cast(Any, self._keep))
        inner.register("before-call", cast(Any, self._answer))
        return Clients(REGION, boto3.session.Session(botocore_session=inner, region_name=REGION))

    def _keep(self, params: Request, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def _answer(self, model: OperationModel, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Answer]:
        name, request = f"{model.service_model.service_name}.{model.name}", context["asked"]
        self.calls.append((name, request))
        answers = self._answers.get(name)
        assert answers, f"nobody expected {name}({request})"
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            if isinstance(said, Exception):
                raise said
            answer = said if isinstance(said, dict) else said(request)
        except Refusal as refusal:
            wrong = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            return _http(refusal.status), {**wrong, "ResponseMetadata": {"HTTPStatusCode": refusal.status}}
        except BotoCoreError:
            raise
        if model.output_shape is not None:
            check(answer, model.output_shape)
        return _http(200), cast(Answer, {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}})


def _http(status: int) -> AWSResponse:
    return AWSResponse(cast(Any, None), status, cast(Any, {}), cast(Any, None))
