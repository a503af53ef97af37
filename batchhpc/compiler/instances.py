"""The EC2 instance types: what a node of each can hold.

The data are ``instances.csv``, one line per type in name order, so that a refresh is a readable diff. Where they come from
is said in ``instances.md`` beside it; ``batchhpc.aws.catalogue`` writes the file anew.
"""

from __future__ import annotations

import csv
import io
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchhpc.spec.environment_spec import Requirements

COLUMNS = (
    "name", "arch", "vcpus", "cores", "memory_mib", "gpus", "gpu", "efa", "efa_cards", "card_slots", "disks", "disk_gb",
    "gbps", "spot", "cluster", "burstable", "bare_metal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One EC2 instance type, as DescribeInstanceTypes describes it.

    Attributes:
        arch: architectures, x86_64 or arm64; old small types have i386, too.
        vcpus: default vCPUs; cores times threads.
        gpus: whole GPUs; 0 for types that have a part of one.
        efa: most EFA interfaces the type can have; 0 if it has no EFA.
        efa_cards: indices of the network cards that take an EFA interface.
        card_slots: network interfaces that fit on each card, so its length is the number of cards.
        disk_gb: GB (10^9 bytes) of each instance store disk.
        gbps: network bandwidth in Gbit/s, the burst value where there is one.
        spot: whether it is sold as Spot.
        cluster: whether it may be in a cluster placement group.
    """

    name: str
    arch: tuple[str, ...]
    vcpus: int
    cores: int
    memory_mib: int
    gpus: int
    gpu: str
    efa: int
    efa_cards: tuple[int, ...]
    card_slots: tuple[int, ...]
    disks: int
    disk_gb: int
    gbps: float
    spot: bool
    cluster: bool
    burstable: bool
    bare_metal: bool

    @property
    def family(self) -> str:
        """``c7i`` of ``c7i.8xlarge``."""
        return self.name.partition(".")[0]

    @property
    def slots(self) -> int:
        """Network interfaces that fit on all cards together."""
        return sum(self.card_slots)

    @property
    def efa_beside_task(self) -> int:
        """EFA interfaces that leave a slot for the network interface of a multi-node job's container (R32)."""
        host = 0 if 0 in self.efa_cards else 1
        return max(0, min(self.efa, self.slots - 1 - host))


def from_description(item: Mapping[str, Any]) -> InstanceType:
    """One item of DescribeInstanceTypes' answer."""
    processors, network = item["VCpuInfo"], item["NetworkInfo"]
    cards = sorted(network["NetworkCards"], key=lambda card: card["NetworkCardIndex"])
    gpus = item.get("GpuInfo", {}).get("Gpus", [])
    disks = item.get("InstanceStorageInfo", {}).get("Disks", [])
    return InstanceType(
        name=item["InstanceType"],
        arch=tuple(sorted(item["ProcessorInfo"]["SupportedArchitectures"], reverse=True)),
        vcpus=processors["DefaultVCpus"],
        cores=processors.get("DefaultCores", processors["DefaultVCpus"]),
        memory_mib=item["MemoryInfo"]["SizeInMiB"],
        gpus=sum(gpu.get("Count", 0) for gpu in gpus),
        gpu=" ".join(f"{gpu['Manufacturer']} {gpu['Name']}" for gpu in gpus),
        efa=network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0) if network.get("EfaSupported") else 0,
        efa_cards=tuple(card["NetworkCardIndex"] for card in cards if "efa" in card.get("InterfaceTypes", ())),
        card_slots=tuple(card["MaximumNetworkInterfaces"] for card in cards),
        disks=sum(disk["Count"] for disk in disks),
        disk_gb=disks[0]["SizeInGB"] if disks else 0,
        gbps=_gbps(network["NetworkPerformance"], cards),
        spot="spot" in item["SupportedUsageClasses"],
        cluster="cluster" in item["PlacementGroupInfo"]["SupportedStrategies"],
        burstable=item["BurstablePerformanceSupported"],
        bare_metal=item["BareMetal"],
    )


def _gbps(performance: str, cards: list[dict[str, Any]]) -> float:
    """The number AWS prints (``4x 100 Gigabit``); the sum over cards where it prints a word such as ``High``."""
    if match := re.search(r"(?:(\d+)x )?([\d.]+) Gigabit", performance):
        return int(match[1] or 1) * float(match[2])
    return float(sum(card.get("PeakBandwidthInGbps", 0) for card in cards))


def to_csv(types: Iterable[InstanceType]) -> str:
    """The data file: a header, and one line per type in name order."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in sorted(types, key=lambda each: each.name):
        rows.writerow(_cell(getattr(each, column)) for column in COLUMNS)
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _numbers(cell: str) -> tuple[int, ...]:
    return tuple(int(part) for part in cell.split())


def _from_row(row: list[str]) -> InstanceType:
    cells = dict(zip(COLUMNS, row, strict=True))
    return InstanceType(
        name=cells["name"],
        arch=tuple(cells["arch"].split()),
        vcpus=int(cells["vcpus"]),
        cores=int(cells["cores"]),
        memory_mib=int(cells["memory_mib"]),
        gpus=int(cells["gpus"]),
        gpu=cells["gpu"],
        efa=int(cells["efa"]),
        efa_cards=_numbers(cells["efa_cards"]),
        card_slots=_numbers(cells["card_slots"]),
        disks=int(cells["disks"]),
        disk_gb=int(cells["disk_gb"]),
        gbps=float(cells["gbps"]),
        spot=cells["spot"] == "yes",
        cluster=cells["cluster"] == "yes",
        burstable=cells["burstable"] == "yes",
        bare_metal=cells["bare_metal"] == "yes",
    )


def from_csv(text: str) -> dict[str, InstanceType]:
    """The types of a data file by name; ``to_csv`` turned round."""
    return {row[0]: _from_row(row) for row in list(csv.reader(io.StringIO(text)))[1:]}


@cache
def _rows() -> dict[str, list[str]]:
    data = pkgutil.get_data(__package__, "instances.csv")
    assert data is not None
    return {row[0]: row for row in list(csv.reader(io.StringIO(data.decode())))[1:]}


@cache
def instance_type(name: str) -> InstanceType | None:
    """The type of that name; None if the catalogue does not have it."""
    row = _rows().get(name)
    return _from_row(row) if row else None


def catalogue() -> Iterator[InstanceType]:
    """All types, in name order."""
    return (_from_row(row) for row in _rows().values())


def close_match(name: str) -> str | None:
    """The type somebody probably meant; None if no name is near."""
    family, _, size = name.partition(".")
    siblings = [other for other in _rows() if other.startswith(f"{family}.")]
    if size and siblings:
        near = get_close_matches(name, siblings, n=1, cutoff=0)
        return near[0]
    near = get_close_matches(name, _rows(), n=1)
    return near[0] if near else None


def pattern(name: str) -> str:
    """What a type, a family (``c7i``) or a pattern of them stands for, as a pattern of types."""
    return name if "." in name else f"{name}.*"


def meets(kind: InstanceType, wanted: Requirements) -> bool:
    """Whether a type has all that is required."""
    return (
        kind.vcpus >= (wanted.min_vcpus or 0)
        and (wanted.max_vcpus is None or kind.vcpus <= wanted.max_vcpus)
        and kind.cores >= (wanted.min_cores or 0)
        and (wanted.min_memory is None or kind.memory_mib >= wanted.min_memory.mib)
        and kind.gbps >= (wanted.min_gbps or 0)
        and kind.efa >= (wanted.min_efa or 0)
        and (wanted.gpus is None or (kind.gpus >= wanted.gpus if wanted.gpus else not kind.gpu))
        and kind.disks >= (wanted.min_disks or 0)
        and (wanted.arch is None or wanted.arch in kind.arch)
    )


def search(name: str, wanted: Requirements) -> list[InstanceType]:
    """Types of that name, family or pattern that have all that is required, smallest first within each family."""
    form = pattern(name)
    found = [kind for kind in catalogue() if fnmatchcase(kind.name, form) and meets(kind, wanted)]
    return sorted(found, key=lambda kind: (kind.family, kind.vcpus, kind.memory_mib, kind.name))
