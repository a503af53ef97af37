"""The network of an environment: a new VPC, or one that is there."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from pydantic import Field

from batchhpc.errors import Problem
from batchhpc.spec.model import Model

_ONLY_NEW = ("cidr", "outbound", "flow_logs")
_ONLY_EXISTING = ("subnet", "security_groups", "vpc_cidr")


class Outbound(StrEnum):
    """How nodes in the private subnet reach AWS: a NAT gateway (and so the internet), or VPC endpoints (AWS only)."""

    NAT = "nat"
    ENDPOINTS = "endpoints"


class Network(Model):
    """Where the nodes are. Without ``vpc`` a new VPC is made, with one private subnet for the nodes in one zone (R33)."""

    cidr: str = Field(default="10.0.0.0/16", pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")
    """Addresses of the new VPC, /16 to /24. Half of them are the nodes'."""
    outbound: Outbound = Outbound.NAT
    """``nat`` or ``endpoints``. Containers of multi-node jobs have no way out of a public subnet (R29), so there is none."""
    flow_logs: bool = True
    """Whether the new VPC's traffic is logged."""
    vpc: str | None = Field(default=None, pattern=r"^vpc-[0-9a-f]{8,17}$")
    """The VPC that is there; needs ``subnet``."""
    subnet: str | None = Field(default=None, pattern=r"^subnet-[0-9a-f]{8,17}$")
    """The private subnet of that VPC for the nodes; exactly one, so that all nodes are in one zone (R33)."""
    security_groups: tuple[str, ...] = ()
    """Further security groups of the nodes, at most 4 beside the environment's own (R30)."""
    vpc_cidr: str | None = Field(default=None, pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")
    """Addresses of the VPC that is there; only EFA-enabled FSx for Lustre needs to know them (R105)."""

    @property
    def is_new(self) -> bool:
        """Whether the environment makes its own VPC."""
        return self.vpc is None

    def problems(self) -> list[Problem]:
        """Fields of a new VPC beside those of one that is there, and addresses that are none."""
        given = self.model_fields_set
        wrong = [*_addresses("cidr", self.cidr, 16, 24), *_addresses("vpc_cidr", self.vpc_cidr, 8, 28)]
        if self.is_new:
            return wrong + [
                Problem(name, "is given, but vpc is not", "name the VPC that it is in") for name in _ONLY_EXISTING if name in given
            ]
        found = wrong + [
            Problem(name, f"is for a new VPC, but {self.vpc} is there", "leave it out") for name in _ONLY_NEW if name in given
        ]
        if self.subnet is None:
            found.append(Problem("subnet", "is missing: which subnet of the VPC shall the nodes be in?"))
        return found


def _addresses(name: str, cidr: str | None, largest: int, smallest: int) -> list[Problem]:
    if cidr is None:
        return []
    try:
        network = IPv4Network(cidr, strict=False)
    except (AddressValueError, NetmaskValueError):
        return [Problem(name, f"is {cidr}, which are no IPv4 addresses", "10.0.0.0/16")]
    if str(network) != cidr:
        return [Problem(name, f"is {cidr}, whose first address is {network.network_address}", f"{network}")]
    if not largest <= network.prefixlen <= smallest:
        return [Problem(name, f"is {cidr}, but must be /{largest} to /{smallest}", f"{network.network_address}/{largest}")]
    return []
