"""What Spot capacity costs and did: the price history of EC2, by zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_LINUX: Final = "Linux/UNIX"
_MOST: Final = 20_000  # prices of one question
_HISTORY: Final = 90 * 86_400  # seconds that EC2 remembers


@dataclass(frozen=True, slots=True)
class Change:
    """From a time on, a zone had a price.

    Attributes:
        zone: id of the zone where EC2 tells it, else its name in this account.
        at: Unix time.
        usd: US dollars an hour.
    """

    kind: str
    zone: str
    at: float
    usd: Decimal


def history(ec2: EC2Client, kinds: Iterable[str], begin: float, end: float) -> list[Change]:
    """The changes of price from one Unix time to another, and the last before, which still held.

    Raises:
        botocore.exceptions.ClientError: AWS refuses, say for lack of ec2:DescribeSpotPriceHistory.
    """
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=list(kinds),  # type: ignore[arg-type]  # EC2 has more types than its stubs
        ProductDescriptions=[_LINUX],
        StartTime=datetime.fromtimestamp(max(begin, end - _HISTORY), UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        PaginationConfig={"MaxItems": _MOST},
    )
    return [
        Change(
            kind=item["InstanceType"],
            zone=item.get("AvailabilityZoneId") or item["AvailabilityZone"],
            at=item["Timestamp"].timestamp(),
            usd=Decimal(item["SpotPrice"]),
        )
        for page in pages
        for item in page["SpotPriceHistory"]
    ]


def newest(changes: Iterable[Change]) -> dict[str, dict[str, Decimal]]:
    """By instance type, the last price of each zone."""
    found: dict[str, dict[str, Decimal]] = {}
    for change in sorted(changes, key=lambda change: change.at):
        found.setdefault(change.kind, {})[change.zone] = change.usd
    return found


def means(changes: Iterable[Change], begin: float, end: float) -> Mapping[str, Decimal]:
    """By zone, the mean price over a time, each price weighted with how long it held; of one instance type.

    Zones whose price at the beginning is not known count from their first price on.
    """
    by_zone: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda change: change.at):
        by_zone.setdefault(change.zone, []).append(change)
    return {zone: _mean(each, begin, end) for zone, each in by_zone.items()}


def _mean(changes: list[Change], begin: float, end: float) -> Decimal:
    held = [change for i, change in enumerate(changes) if i + 1 == len(changes) or changes[i + 1].at > begin]
    spent = time = Decimal(0)
    for i, change in enumerate(held):
        until = held[i + 1].at if i + 1 < len(held) else end
        seconds = Decimal(str(max(0.0, min(until, end) - max(change.at, begin))))
        spent, time = spent + change.usd * seconds, time + seconds
    return spent / time if time else held[-1].usd
