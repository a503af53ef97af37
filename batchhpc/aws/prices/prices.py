"""Prices: on demand, Spot, and of the services around, each asked once and kept on disk; unknown is said, never guessed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from batchhpc.aws.prices.cache import PriceCache
from batchhpc.aws.prices.price_list import LINUX, Price, ask, attributes_of, is_usage, price_of
from batchhpc.aws.prices.spot_prices import history, means, newest
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.billing import Product
from batchhpc.errors import Unavailable

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

Answer = TypeVar("Answer")
_DAY, _HOUR = 86_400, 3_600  # seconds that list prices and offerings, and Spot prices, stay good
NO_SPOT: Final = "EC2 has no Spot price of it"
_FEW: Final = 2  # instance types that are asked for one by one
_MANY: Final = 12  # families above which it is quicker to ask for the whole Region
_SPOT_TYPES: Final = 100  # of one question


@dataclass(frozen=True, slots=True)
class SpotPrice:
    """US dollars an hour by zone (its id where EC2 tells it); empty if not known, and then why."""

    zones: Mapping[str, Decimal] = field(default_factory=dict)
    unknown: str = ""

    def at_most(self, zone: str | None = None) -> Decimal | None:
        """The price in a zone, or the highest of all zones if it is not named or has none."""
        return self.zones.get(zone or "", max(self.zones.values(), default=None))

    @property
    def lowest(self) -> Decimal | None:
        """The lowest price of all zones."""
        return min(self.zones.values(), default=None)


class Prices:
    """Prices of one Region. A service that refuses once is not asked again, so what cannot be had costs one call.

    Args:
        clients: the SDK's clients; their Region is the one that is meant.
        cache: the file that prices are kept in (`price_cache.cache_file`); None for none.
        now: Unix time.
        offline: nobody is asked, so that all prices are unknown.
    """

    def __init__(
        self, clients: Clients, cache: Path | None = None, now: Callable[[], float] = time.time, *, offline: bool = False
    ) -> None:
        self._clients, self._path, self.now = clients, cache, now
        self._refused = dict.fromkeys(("pricing", "ec2"), "nobody was asked") if offline else {}
        self._kept: PriceCache | None = None

    def on_demand(self, kinds: Iterable[str]) -> dict[str, Price]:
        """What an hour of each instance type costs on demand: Linux, shared tenancy."""
        return self._all(
            "on-demand", list(dict.fromkeys(kinds)), lambda missing: self._try("pricing", lambda: self._ask_types(missing))
        )

    def products(self, products: Iterable[Product]) -> dict[Product, Price]:
        """What a unit of each product costs."""
        wanted = {f"{each.service} {each.usage}": each for each in products}
        found: dict[Product, Price] = {}
        for key, product in wanted.items():
            found[product] = self._all("product", [key], lambda _, product=product: self._ask_product(product))[key]  # type: ignore[misc]
        return found

    def spot(self, kinds: Iterable[str]) -> dict[str, SpotPrice]:
        """What an hour of each instance type costs as Spot now."""
        wanted = list(dict.fromkeys(kinds))
        known = {kind: kept for kind in wanted if (kept := self._get("spot", kind, _HOUR)) is not None}
        found = {kind: SpotPrice({zone: Decimal(usd) for zone, usd in kept.items()}) for kind, kept in known.items()}
        missing = [kind for kind in wanted if kind not in found]
        for some in _chunks(missing, _SPOT_TYPES):
            at = self.now()
            answer, why = self._try("ec2", lambda some=some, at=at: newest(history(self._clients.ec2, some, at, at)))  # type: ignore[misc]
            answer = answer or {}
            self._put("spot", {kind: {zone: str(usd) for zone, usd in zones.items()} for kind, zones in answer.items()})
            for kind in some:
                found[kind] = SpotPrice(answer.get(kind, {}), "" if kind in answer else why or NO_SPOT)
        return found

    def spot_mean(self, kind: str, begin: float, end: float) -> SpotPrice:
        """What an hour of an instance type cost as Spot on average between two Unix times."""
        answer, why = self._try("ec2", lambda: means(history(self._clients.ec2, [kind], begin, end), begin, end))
        return SpotPrice(answer or {}, "" if answer else why or "EC2 has no Spot price of that time")

    def offered(self, zone: str | None = None) -> tuple[frozenset[str] | None, str]:
        """The instance types that the Region, or one zone of it, offers; None if that is not known, and then why.

        Args:
            zone: id of the zone, ``euw1-az1``, or its name, ``eu-west-1a``.
        """
        key = zone or "region"
        kept = self._get("offered", key, _DAY)
        if kept is not None:
            return frozenset(kept), ""
        answer, why = self._try("ec2", lambda: self._ask_offered(zone))
        if answer is None:
            return None, why
        self._put("offered", {key: sorted(answer)} if answer else {})
        return frozenset(answer), ""

    def _ask_offered(self, zone: str | None) -> list[str]:
        ec2 = self._clients.ec2
        where: Any = "region" if zone is None else "availability-zone-id" if "-az" in zone else "availability-zone"
        filters: Any = [{"Name": "location", "Values": [zone]}] if zone else []
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(LocationType=where, Filters=filters)
        return [item["InstanceType"] for page in pages for item in page["InstanceTypeOfferings"]]

    def _all(
        self, sort: str, wanted: list[str], fetch: Callable[[list[str]], tuple[dict[str, Price] | None, str]]
    ) -> dict[str, Price]:
        """Prices from the cache, and the rest asked for together."""
        found = {key: Price(Decimal(kept)) for key in wanted if (kept := self._get(sort, key, _DAY)) is not None}
        if missing := [key for key in wanted if key not in found]:
            answer, why = fetch(missing)
            answer = answer or {}
            self._put(sort, {key: str(price.usd) for key, price in answer.items() if price.usd is not None})
            found |= {key: answer.get(key, Price(None, why)) for key in missing}
        return found

    def _ask_types(self, kinds: list[str]) -> dict[str, Price]:
        pricing = self._clients.pricing
        families = list(dict.fromkeys(kind.partition(".")[0] for kind in kinds))
        base = {"regionCode": self._clients.region, **LINUX}
        if len(kinds) <= _FEW:
            documents = [each for kind in kinds for each in ask(pricing, "AmazonEC2", {**base, "instanceType": kind})]
        elif len(families) <= _MANY:
            documents = [each for family in families for each in ask(pricing, "AmazonEC2", base, instanceType=f"{family}.")]
        else:
            documents = ask(pricing, "AmazonEC2", base)
        by_type: dict[str, list[dict[str, Any]]] = {}
        for document in documents:
            by_type.setdefault(attributes_of(document).get("instanceType", ""), []).append(document)
        return {kind: price_of(by_type.get(kind, []), "hour") for kind in kinds}

    def _ask_product(self, product: Product) -> tuple[dict[str, Price] | None, str]:
        def fetch() -> dict[str, Price]:
            here = {"regionCode": self._clients.region}
            documents = ask(self._clients.pricing, product.service, here, usagetype=product.usage)
            own = [each for each in documents if is_usage(each, product.usage)]
            return {f"{product.service} {product.usage}": price_of(own, product.unit)}

        return self._try("pricing", fetch)

    def _try(self, service: str, call: Callable[[], Answer]) -> tuple[Answer | None, str]:
        """What the call answers, or why it does not."""
        if service not in self._refused:
            try:
                with sdk_errors():
                    return call(), ""
            except Unavailable as error:
                self._refused[service] = str(error).partition("\n")[0]
        return None, self._refused[service]

    def _get(self, sort: str, key: str, seconds: float) -> Any | None:
        cache = self._cache()
        return cache.get(sort, key, seconds) if cache else None

    def _put(self, sort: str, values: Mapping[str, Any]) -> None:
        if values and (cache := self._cache()):
            cache.put(sort, values)

    def _cache(self) -> PriceCache | None:
        """The cache; it holds for one pair of endpoints, so that an emulator's prices never pass for Amazon's."""
        if self._kept is None:
            found, _ = self._try("cache", lambda: [self._clients.ec2.meta.endpoint_url, self._clients.pricing.meta.endpoint_url])
            if found is not None:
                self._kept = PriceCache(self._path, " ".join(found), self.now)
        return self._kept


def _chunks(items: list[str], size: int) -> Iterable[list[str]]:
    return (items[i : i + size] for i in range(0, len(items), size))
