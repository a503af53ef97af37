"""The account's EC2 quotas, in vCPUs per group of instance families, from Service Quotas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchhpc.aws.sdk import sdk_errors

if TYPE_CHECKING:
    from mypy_boto3_service_quotas import ServiceQuotasClient

_PAGES = 10  # of 100 quotas
# Service Quotas' own names: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", "All P5 Spot Instance Requests"
_ON_DEMAND = re.compile(r"Running On-Demand (.+) instances", re.IGNORECASE)
_SPOT = re.compile(r"All (.+) Spot Instance Requests", re.IGNORECASE)
_FAMILY = re.compile(r"[A-Z][A-Za-z]*\d*")


def vcpu_quota(quotas: ServiceQuotasClient, kind: str, *, spot: bool) -> tuple[str, int] | None:
    """Name and vCPUs of the quota that holds for an instance type; None if Service Quotas lists none for it.

    Raises:
        Unavailable: AWS cannot be asked, or refuses.
    """
    family = kind.partition(".")[0]
    letters = re.match(r"[a-z]*", family)
    names = [
        letters[0] if letters else family,
        *([f"{letters[0]}{family[len(letters[0])]}"] if letters and family != letters[0] else []),
    ]
    best: tuple[int, str, int] | None = None
    for name, value in _listed(quotas):
        matched = (_SPOT if spot else _ON_DEMAND).fullmatch(name)
        families = {each.lower() for each in _FAMILY.findall(matched[1])} if matched else set()
        rank = max((i + 1 for i, each in enumerate(names) if each in families), default=0)
        if rank and (best is None or rank > best[0]):
            best = (rank, name, value)
    return best[1:] if best else None


def _listed(quotas: ServiceQuotasClient) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    token: dict[str, str] = {}
    for _ in range(_PAGES):
        with sdk_errors():
            page = quotas.list_service_quotas(ServiceCode="ec2", MaxResults=100, **token)  # type: ignore[arg-type]
        found += [(each.get("QuotaName", ""), int(each.get("Value", 0))) for each in page.get("Quotas", [])]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    return found
