"""AWS's Price List: what GetProducts says, and which price in it is the one that was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_pricing.type_defs import FilterTypeDef

_MOST_PAGES: Final = 60  # of 100 products; a Region has fewer than 2,000 Linux instance products
_REGION = "AWS Region"  # not an Outpost, Local Zone or Wavelength Zone
_PREFIX = r"(?:[A-Z]{2,4}\d{0,2}-)?"  # of usage types: none in us-east-1 of old services, EU-, APN1-, USE1-
# Units of the Price List in our words, and how many of ours one of theirs is.
_UNITS: Final[Mapping[str, tuple[str, int]]] = {
    "hrs": ("hour", 1),
    "hours": ("hour", 1),
    "hour": ("hour", 1),
    "gb-mo": ("GiB-month", 1),
    "gb-month": ("GiB-month", 1),
    "iops-mo": ("IOPS-month", 1),
    "gibps-mo": ("MiB/s-month", 1024),
    "mibps-mo": ("MiB/s-month", 1),
    "secrets": ("secret-month", 1),
}
NOT_LISTED: Final = "not in the price list of the Region"
LINUX: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one unit; None if not known, and then why."""

    usd: Decimal | None
    unknown: str = ""


def ask(pricing: PricingClient, service: str, filters: Mapping[str, str], **contains: str) -> list[dict[str, Any]]:
    """Products of a service: documents of product and terms.

    Args:
        pricing: the client.
        service: its code.
        filters: attributes and what they must be.
        contains: attributes and what they must contain.

    Raises:
        botocore.exceptions.ClientError: AWS refuses, say for lack of pricing:GetProducts.
    """
    wanted: list[FilterTypeDef] = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()]
    wanted += [{"Type": "CONTAINS", "Field": field, "Value": value} for field, value in contains.items()]
    pages = pricing.get_paginator("get_products").paginate(
        ServiceCode=service,
        Filters=wanted,
        PaginationConfig={"PageSize": 100, "MaxItems": 100 * _MOST_PAGES},
    )
    found = []
    for page in pages:
        for item in page["PriceList"]:
            document = json.loads(item) if isinstance(item, str) else item
            if attributes_of(document).get("locationType", _REGION) == _REGION:
                found.append(document)
    return found


def attributes_of(document: Mapping[str, Any]) -> dict[str, str]:
    """A product's attributes."""
    attributes: dict[str, str] = document.get("product", {}).get("attributes", {})
    return attributes


def is_usage(document: Mapping[str, Any], usage: str) -> bool:
    """Whether a product is of that usage type, whatever the Region's prefix."""
    return re.fullmatch(_PREFIX + re.escape(usage), attributes_of(document).get("usagetype", "")) is not None


def price_of(documents: Iterable[Mapping[str, Any]], unit: str) -> Price:
    """The one on-demand price in US dollars that the products have for a unit of ours.

    Of a price in steps it is that of the first step that is not free: more of it gets cheaper, never dearer.
    """
    found = sorted({price for document in documents for price in _prices(document, unit)})
    if not found:
        return Price(None, NOT_LISTED)
    if len(found) > 1:
        return Price(None, f"several in the price list: {', '.join(f'{each:f}' for each in found)}")
    return Price(found[0])


def _prices(document: Mapping[str, Any], unit: str) -> Iterator[Decimal]:
    for term in document.get("terms", {}).get("OnDemand", {}).values():
        steps = sorted(term.get("priceDimensions", {}).values(), key=lambda step: Decimal(step.get("beginRange", "0")))
        priced = (price for step in steps if (price := _price(step, unit)) is not None)
        if (first := next(priced, None)) is not None:
            yield first


def _price(step: Mapping[str, Any], unit: str) -> Decimal | None:
    """What one of our units costs; None if it is free, of another unit, or in another currency."""
    ours, count = _UNITS.get(step.get("unit", "").lower(), ("", 1))
    if ours != unit:
        return None
    try:
        amount = Decimal(step.get("pricePerUnit", {})["USD"])
    except (KeyError, InvalidOperation):
        return None
    return (amount / count).normalize() if amount.is_finite() and amount > 0 else None
