"""Prices as AWS tells them: documents of GetProducts, answers of DescribeSpotPriceHistory, and clients that give them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.stub import Stubber

from batchhpc.aws.sdk import Clients

REGION = "eu-west-1"
NOW = 1_800_000_000.0


def product(usage: str, usd: str, unit: str = "Hrs", *, service: str = "AmazonEC2", currency: str = "USD", **more: str) -> str:
    """One product with one price, as an item of a PriceList."""
    return steps(usage, [("0", usd)], unit, service=service, currency=currency, **more)


def steps(
    usage: str,
    prices: Iterable[tuple[str, str]],
    unit: str,
    *,
    service: str = "AmazonEC2",
    currency: str = "USD",
    **more: str,
) -> str:
    """One product whose price changes with use: what use each price begins at, and the price."""
    sku, term = "S" + usage.replace("-", "").upper()[:15], "JRTCKXETXF"
    attributes = {
        "servicecode": service,
        "location": "EU (Ireland)",
        "locationType": "AWS Region",
        "regionCode": REGION,
        "usagetype": usage,
        "operation": "",
        **more,
    }
    dimensions = {
        f"{sku}.{term}.{i}": {
            "unit": unit,
            "beginRange": begin,
            "endRange": "Inf",
            "description": f"${usd} per {unit}",
            "appliesTo": [],
            "rateCode": f"{sku}.{term}.{i}",
            "pricePerUnit": {currency: usd},
        }
        for i, (begin, usd) in enumerate(prices)
    }
    offer = {
        "sku": sku,
        "offerTermCode": term,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "priceDimensions": dimensions,
        "termAttributes": {},
    }
    return json.dumps(
        {
            "product": {"sku": sku, "productFamily": "", "attributes": attributes},
            "serviceCode": service,
            "terms": {"OnDemand": {f"{sku}.{term}": offer}},
            "version": "20261101000000",
            "publicationDate": "2026-11-01T00:00:00Z",
        }
    )


def instance(kind: str, usd: str) -> str:
    """The product of an instance type."""
    return product(f"EU-BoxUsage:{kind}", usd, instanceType=kind, operatingSystem="Linux", tenancy="Shared")


def spot(kind: str, zone: str, usd: str, at: float = NOW - 600) -> dict[str, Any]:
    """One item of a Spot price history."""
    return {
        "AvailabilityZone": f"{REGION}{zone[-1]}",
        "AvailabilityZoneId": zone,
        "InstanceType": kind,
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": usd,
        "Timestamp": datetime.fromtimestamp(at, UTC),
    }


@dataclass
class StubbedClients:
    """The SDK's clients without a network: Stubber holds requests and answers against AWS's description."""

    region: str = REGION
    pricing: Any = field(init=False)
    ec2: Any = field(init=False)
    stubs: dict[str, Stubber] = field(init=False)

    def __post_init__(self) -> None:
        session = boto3.session.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        once = Config(retries={"total_max_attempts": 1})
        self.pricing = session.client("pricing", region_name="us-east-1", config=once)
        self.ec2 = session.client("ec2", region_name=REGION, config=once)
        self.stubs = {"pricing": Stubber(self.pricing), "ec2": Stubber(self.ec2)}
        for stub in self.stubs.values():
            stub.activate()

    def listed(self, *documents: str, request: Mapping[str, Any] | None = None, token: str | None = None) -> None:
        """The next answer of GetProducts."""
        answer = {"FormatVersion": "aws_v1", "PriceList": list(documents), **({"NextToken": token} if token else {})}
        self.stubs["pricing"].add_response("get_products", answer, request)

    def history(self, *items: Mapping[str, Any], request: Mapping[str, Any] | None = None) -> None:
        """The next answer of DescribeSpotPriceHistory."""
        self.stubs["ec2"].add_response("describe_spot_price_history", {"SpotPriceHistory": list(items)}, request)

    def refuse(self, service: str, method: str, code: str = "AccessDeniedException") -> None:
        """AWS refuses the next call."""
        message = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: pricing:GetProducts"
        self.stubs[service].add_client_error(method, code, message, 400)

    @property
    def clients(self) -> Clients:
        """As the code under test knows them."""
        return cast(Clients, self)

    def done(self) -> None:
        """Fails if a call that was expected did not come."""
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()
