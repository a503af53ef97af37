"""Rules about Amazon FSx for Lustre."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.environment.types import named
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec import Memory
from batchhpc.spec.network import Outbound
from batchhpc.spec.storage import Lustre, LustreDeployment, LustreStorage

R103 = Rule("R103", "FSx for Lustre: capacity and throughput in the steps of deployment and storage type.")
R104 = Rule("R104", "Directories linked to S3 do not overlap, / is the only one, at most 8; not on scratch-1 or tiered storage.")
R105 = Rule("R105", "Lustre over EFA: persistent-2 with metadata IOPS or tiering, nodes with EFA of Nitro 4, all in one /16.")

_GIB = 2**30
_SCRATCH = (LustreDeployment.SCRATCH_1, LustreDeployment.SCRATCH_2)
_PER_TIB = {
    (LustreDeployment.PERSISTENT_1, LustreStorage.SSD): (50, 100, 200),
    (LustreDeployment.PERSISTENT_1, LustreStorage.HDD): (12, 40),
    (LustreDeployment.PERSISTENT_2, LustreStorage.SSD): (125, 250, 500, 1000),
}
_TIER = 4_000  # MB/s
_MOST_TIERED = 2_000_000  # MB/s
_CACHE = (32, 131_072)  # GiB for each 4,000 MB/s
_MOST_METADATA = 192_000
_MOST_LINKS = 8
# Families that are known to be of Nitro 4 or later
_NITRO_4 = re.compile(r"(p5|p5e|p5en|p6-\w+|trn1n|[cmr]6id?n|hpc6id|hpc\d\w*|g6\w*|[a-z]+-?(7|8|9)[a-z]*)$")


def capacity_step(lustre: Lustre) -> tuple[tuple[int, ...], int]:
    """Sizes in GiB that stand for themselves, and the step whose multiples are sizes as well (R103)."""
    if lustre.storage is LustreStorage.HDD:
        return (), 6_000 if lustre.throughput == 12 else 1_800
    return ((1_200, 2_400), 3_600) if lustre.deployment is LustreDeployment.SCRATCH_1 else ((1_200,), 2_400)


@R103.environment
def file_systems(plan: EnvironmentPlan) -> Iterator[Finding]:
    for path, lustre in _each(plan):
        if not _possible(lustre):
            only = "persistent-1" if lustre.storage is LustreStorage.HDD else "persistent-2"
            message = f"is {lustre.storage}, which only {only} has, not {lustre.deployment}"
            yield Finding(f"{path}.storage", message, f"deployment: {only}, or storage: ssd", waivable=False)
            continue
        yield from _tiered(path, lustre) if lustre.storage is LustreStorage.INTELLIGENT_TIERING else _sized(path, lustre)
        yield from _extras(path, lustre)


def _each(plan: EnvironmentPlan) -> Iterator[tuple[str, Lustre]]:
    for i, each in enumerate(plan.spec.storage):
        if each.lustre is not None:
            yield f"storage[{i}].lustre", each.lustre


def _possible(lustre: Lustre) -> bool:
    if lustre.storage is LustreStorage.HDD:
        return lustre.deployment is LustreDeployment.PERSISTENT_1
    return lustre.storage is LustreStorage.SSD or lustre.deployment is LustreDeployment.PERSISTENT_2


def _sized(path: str, lustre: Lustre) -> Iterator[Finding]:
    steps = _PER_TIB.get((lustre.deployment, lustre.storage))
    if steps is None and lustre.throughput is not None:
        message = f"is {lustre.throughput} MB/s per TiB, but that of {lustre.deployment} is fixed"
        yield Finding(f"{path}.throughput", message, "leave it out, or a persistent deployment")
    elif steps and lustre.throughput not in steps:
        given = "missing" if lustre.throughput is None else lustre.throughput
        message = f"is {given}, but {lustre.deployment} of {lustre.storage} has {', '.join(map(str, steps))} MB/s per TiB"
        yield Finding(f"{path}.throughput", message, f"throughput: {_nearest(lustre.throughput, steps)}")
        if lustre.storage is LustreStorage.HDD:
            return  # the sizes depend on it
    own, step = capacity_step(lustre)
    if lustre.capacity is None:
        message = f"is missing, but only intelligent-tiering grows by itself, not {lustre.storage}"
        yield Finding(f"{path}.capacity", message, f"capacity: {(own or (step,))[0]} GiB")
        return
    gib = lustre.capacity // _GIB
    if lustre.capacity % _GIB or not (gib in own or (gib and gib % step == 0)):
        sizes = [f"{size:,}" for size in own]
        if 2_400 not in own or step != 2_400:
            sizes.append(f"multiples of {step:,}")
        message = f"is {_gib(lustre.capacity)} GiB, but {lustre.deployment} of {lustre.storage} has {' or '.join(sizes)} GiB"
        larger = min(size for size in (*own, (gib // step + 1) * step) if size * _GIB >= lustre.capacity)
        yield Finding(f"{path}.capacity", message, f"capacity: {larger} GiB")


def _nearest(given: int | None, steps: tuple[int, ...]) -> int:
    return steps[0] if given is None else min(steps, key=lambda step: (abs(step - given), step))


def _gib(size: Memory) -> str:
    return f"{size / _GIB:,.10g}"


def _tiered(path: str, lustre: Lustre) -> Iterator[Finding]:
    if lustre.capacity is not None:
        message = f"is {_gib(lustre.capacity)} GiB, but intelligent-tiering grows by itself"
        yield Finding(f"{path}.capacity", message, "capacity: null")
    given = lustre.throughput
    if given is None or given < _TIER or given % _TIER or given > _MOST_TIERED:
        said = "missing" if given is None else f"{given:,} MB/s"
        message = f"is {said}, but intelligent-tiering has multiples of {_TIER:,} MB/s, at most {_MOST_TIERED:,}"
        yield Finding(f"{path}.throughput", message, f"throughput: {_TIER}")
        return
    if lustre.read_cache is not None:
        least, most = (each * given // _TIER for each in _CACHE)
        if lustre.read_cache % _GIB or not least * _GIB <= lustre.read_cache <= most * _GIB:
            message = f"is {_gib(lustre.read_cache)} GiB, but {given:,} MB/s have {least:,} to {most:,} GiB"
            yield Finding(f"{path}.read_cache", message, "leave it out: a size in proportion")


def _extras(path: str, lustre: Lustre) -> Iterator[Finding]:
    tiered, kind = lustre.storage is LustreStorage.INTELLIGENT_TIERING, f"{lustre.deployment} of {lustre.storage}"
    if lustre.drive_cache and lustre.storage is not LustreStorage.HDD:
        yield Finding(f"{path}.drive_cache", f"is true, but only hdd has one, not {lustre.storage}", "leave it out")
    if lustre.read_cache is not None and not tiered:
        yield Finding(f"{path}.read_cache", f"is given, but only intelligent-tiering has one, not {lustre.storage}", "leave it out")
    iops = lustre.metadata_iops
    if iops is not None and lustre.deployment is not LustreDeployment.PERSISTENT_2:
        yield Finding(f"{path}.metadata_iops", f"is {iops:,}, but only persistent-2 has them, not {kind}", "leave it out")
    elif iops is not None and tiered and iops not in (6_000, 12_000):
        yield Finding(f"{path}.metadata_iops", f"is {iops:,}, but {kind} has 6,000 or 12,000", "metadata_iops: 6000")
    elif iops is not None and not tiered and not _metadata_step(iops):
        message = f"is {iops:,}, but {kind} has 1,500, 3,000, 6,000 or multiples of 12,000 up to {_MOST_METADATA:,}"
        yield Finding(f"{path}.metadata_iops", message, "metadata_iops: 12000")
    days = lustre.backup_days
    if not 0 <= days <= 90:
        yield Finding(f"{path}.backup_days", f"is {days}, but must be 0 to 90 days")
    elif days and lustre.deployment in _SCRATCH:
        yield Finding(f"{path}.backup_days", f"is {days}, but {lustre.deployment} has no backups", "leave it out")
    elif days and lustre.data:
        message = f"is {days}, but a file system with data in S3 has no backups"
        yield Finding(f"{path}.backup_days", message, "leave it out: export_changes keeps them in S3")


def _metadata_step(iops: int) -> bool:
    return iops in (1_500, 3_000, 6_000) or (0 < iops <= _MOST_METADATA and iops % 12_000 == 0)


@R104.environment
def links_to_s3(plan: EnvironmentPlan) -> Iterator[Finding]:
    for path, lustre in _each(plan):
        if lustre.data and (lustre.deployment is LustreDeployment.SCRATCH_1 or lustre.storage is LustreStorage.INTELLIGENT_TIERING):
            kind = "scratch-1" if lustre.deployment is LustreDeployment.SCRATCH_1 else "intelligent-tiering"
            yield Finding(f"{path}.data", f"is given, but {kind} cannot be linked to S3", "scratch-2, or persistent-2 of ssd")
        if len(lustre.data) > _MOST_LINKS:
            message = f"has {len(lustre.data)} directories, but a file system has at most {_MOST_LINKS} links to S3"
            yield Finding(f"{path}.data", message)
        places = [each.path.rstrip("/") for each in lustre.data]
        for i, place in enumerate(places):
            for k, other in enumerate(places[:i]):
                if f"{place}/".startswith(f"{other}/") or f"{other}/".startswith(f"{place}/"):
                    message = f"is {place or '/'}, which overlaps {other or '/'} of data[{k}]"
                    yield Finding(f"{path}.data[{i}].path", message, "directories apart from each other", waivable=False)
        sources = [each.s3.rstrip("/") for each in lustre.data]
        for i, source in enumerate(sources):
            if source in sources[:i]:
                message = f"is {source}, as that of data[{sources.index(source)}]"
                yield Finding(f"{path}.data[{i}].s3", message, "each directory has a prefix of its own")


@R105.environment
def over_efa(plan: EnvironmentPlan) -> Iterator[Finding]:
    for path, lustre in _each(plan):
        if lustre.efa:
            yield from _efa(f"{path}.efa", lustre, plan)


def _efa(path: str, lustre: Lustre, plan: EnvironmentPlan) -> Iterator[Finding]:
    if lustre.deployment is not LustreDeployment.PERSISTENT_2:
        yield Finding(path, f"is true, but only persistent-2 has EFA, not {lustre.deployment}", "deployment: persistent-2")
    elif lustre.storage is LustreStorage.SSD and lustre.metadata_iops is None:
        message = "is true, but EFA needs metadata IOPS that are chosen (or intelligent-tiering)"
        yield Finding(path, message, "metadata_iops: 12000")
    if not plan.efa:
        yield Finding(path, "is true, but the nodes have no EFA interfaces", "fabric: efa, and types that have it")
        return
    chip = [kind for kind in plan.types if kind.family.startswith("trn2")]
    if chip:
        yield Finding(path, f"is true, but FSx knows no EFA of {named(chip)}", "efa: false")
    older = [kind for kind in plan.types if not chip and not _NITRO_4.match(kind.family)]
    if older:
        message = f"is true, but needs Nitro 4 or later, which {named(older)} may not be"
        yield Finding(path, message, "later types, or try it first", Severity.WARNING)
    network = plan.spec.network
    if network.is_new and network.outbound is Outbound.ENDPOINTS:
        message = "is true, but nodes fetch the set-up of Lustre's EFA from AWS's documentation site, and outbound is endpoints"
        yield Finding(path, message, "network: {outbound: nat}")
    cidr = network.cidr if network.is_new else network.vpc_cidr
    if cidr is None:
        message = f"is true, so file system and nodes must be in one /16, but the addresses of {network.vpc} are not said"
        yield Finding(path, message, "network: {vpc_cidr: 10.0.0.0/16}")
    elif IPv4Network(cidr, strict=False).prefixlen < 16:
        message = f"is true, so file system and nodes must be in one /16, but {cidr} is larger"
        yield Finding(path, message, 'waive: {R105: "the subnet is within one /16"}')
