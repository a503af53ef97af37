"""Clients before the small AWS Batch that also have prices, and the stack of one environment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from botocore.stub import Stubber

from batchhpc.aws.sdk import Clients
from batchhpc.compiler import compile_environment
from batchhpc.spec import EnvironmentSpec
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.fake_clients import clients
from tests.unit.aws.price_documents import NOW, StubbedClients

SPEC = {"name": "test", "region": "eu-west-1", "instance_types": ["c7i.8xlarge"], "max_nodes": 4}


@dataclass
class PricedClients:
    """What is asked of CloudFormation, EC2 and the Price List API must have been announced, in order."""

    fake: FakeBatch = field(default_factory=FakeBatch)
    prices: StubbedClients = field(default_factory=StubbedClients)

    def __post_init__(self) -> None:
        self.fake.queue()
        self.clients: Clients = clients(self.fake)
        self.stack = Stubber(self.clients.cloudformation)
        self.stack.activate()
        cast(Any, self.clients).__dict__.update(pricing=self.prices.pricing, ec2=self.prices.ec2)

    def deployed(self, **changes: Any) -> None:
        """The next look for the environment finds it."""
        made = compile_environment(EnvironmentSpec.from_data({**SPEC, **changes}))
        arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-test/5ba5f0ee-0000-4000-8000-00c0ffee0001"
        described = {
            "StackName": "batchhpc-test",
            "StackId": arn,
            "StackStatus": "CREATE_COMPLETE",
            "CreationTime": datetime.fromtimestamp(NOW, UTC),
        }
        self.stack.add_response("describe_stacks", {"Stacks": [described]})
        self.stack.add_response("get_template", {"TemplateBody": json.dumps(made.template)})

    def gone(self) -> None:
        """The next look for the environment finds nothing."""
        message = "Stack with id batchhpc-test does not exist"
        self.stack.add_client_error("describe_stacks", "ValidationError", message, 400)
        self.stack.add_response("describe_stacks", {"Stacks": []})
