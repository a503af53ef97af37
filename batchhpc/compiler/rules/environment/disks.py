"""Rules about disks of single nodes: EBS volumes, the root volume, instance stores, and where all storage is mounted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.environment.types import named
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.spec import Memory
from batchhpc.spec.environment_spec import RootVolume
from batchhpc.spec.storage import Ebs, EbsType

R100 = Rule("R100", "An instance store is on types that have disks.", waivable=False)
R101 = Rule("R101", "An EBS volume's size, IOPS and throughput are those of its type, and in their proportion.")
R106 = Rule("R106", "Storage is mounted where it hides nothing of the host.")

_GIB = 2**30
# Families of the Xen hypervisor: io2 and io1 have at most 64,000 IOPS there, of which 32,000 are reached
_XEN = ("c1", "c3", "c4", "d2", "f1", "g3", "g3s", "h1", "i2", "i3", "m1", "m2", "m3", "m4", "p2", "p3", "r3", "r4", "t1", "t2", "x1", "x1e")  # fmt: skip # noqa: E501
_MOST_ON_XEN = 64_000
_PER_THROUGHPUT = 4  # IOPS that each MiB/s of gp3 needs: 0.25 MiB/s per IOPS
_BASELINE = 3_000  # IOPS of gp3 that any size has
# Directories that the system, Docker or the ECS agent needs
_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var", "/var/lib",
    "/var/lib/docker", "/var/lib/ecs", "/var/log", "/opt/aws", "/opt/amazon", "/opt/batchhpc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Volume:
    """What a volume type can be: GiB, IOPS (none for st1), IOPS per GiB."""

    sizes: tuple[int, int]
    iops: tuple[int, int] | None
    per_gib: int


_VOLUMES: Final = {
    EbsType.GP3: _Volume((1, 65_536), (_BASELINE, 80_000), 500),
    EbsType.IO2: _Volume((4, 65_536), (100, 256_000), 1_000),
    EbsType.IO1: _Volume((4, 16_384), (100, 64_000), 50),
    EbsType.ST1: _Volume((125, 16_384), None, 0),
}


@R101.environment
def root_volume(plan: EnvironmentPlan) -> Iterator[Finding]:
    root = plan.spec.root_volume
    if root.type is EbsType.ST1:
        yield Finding("root_volume.type", "is st1, which no instance can start from", "type: gp3", waivable=False)
    else:
        yield from _volume("root_volume", root, plan)


@R101.environment
def volumes(plan: EnvironmentPlan) -> Iterator[Finding]:
    for i, each in enumerate(plan.spec.storage):
        if each.ebs is not None:
            yield from _volume(f"storage[{i}].ebs", each.ebs, plan)


def _volume(path: str, volume: Ebs | RootVolume, plan: EnvironmentPlan) -> Iterator[Finding]:
    size, (least, most) = volume.size, _VOLUMES[volume.type].sizes
    if size % _GIB:
        yield Finding(f"{path}.size", f"{size} is {size / _GIB:.2f} GiB, but EBS counts whole GiB", f"{size // _GIB + 1} GiB")
    elif not least * _GIB <= size <= most * _GIB:
        yield Finding(f"{path}.size", f"is {size}, but {volume.type} has {least:,} to {most:,} GiB")
    yield from _iops(f"{path}.iops", volume, plan)
    yield from _throughput(f"{path}.throughput", volume)


def _iops(path: str, volume: Ebs | RootVolume, plan: EnvironmentPlan) -> Iterator[Finding]:
    kind, iops, can = volume.type, volume.iops, _VOLUMES[volume.type].iops
    if can is None:
        if iops is not None:
            yield Finding(path, f"is {iops:,}, but {kind} has no IOPS to choose", "leave it out")
    elif iops is None:
        if kind is not EbsType.GP3:
            yield Finding(path, f"is missing, but {kind} has no default", f"iops: {can[0]} to {can[1]}", waivable=False)
    elif not can[0] <= iops <= can[1]:
        yield Finding(path, f"is {iops:,}, but {kind} has {can[0]:,} to {can[1]:,}")
    else:
        yield from _proportions(path, kind, volume.size, iops, plan)


def _throughput(path: str, volume: Ebs | RootVolume) -> Iterator[Finding]:
    given, iops = volume.throughput, volume.iops or _BASELINE
    if given is None:
        return
    if volume.type is not EbsType.GP3:
        yield Finding(path, f"is {given:,} MiB/s, which only gp3 lets one choose, not {volume.type}", "leave it out")
    elif not 125 <= given <= 2_000:
        yield Finding(path, f"is {given:,} MiB/s, but gp3 has 125 to 2,000")
    elif given * _PER_THROUGHPUT > iops:
        message = f"is {given:,} MiB/s, but {iops:,} IOPS of gp3 carry {iops // _PER_THROUGHPUT:,} at most"
        yield Finding(path, message, f"iops: {given * _PER_THROUGHPUT}")


def _proportions(path: str, kind: EbsType, size: Memory, iops: int, plan: EnvironmentPlan) -> Iterator[Finding]:
    per, gib = _VOLUMES[kind].per_gib, size // _GIB
    if iops > max(per * gib, _BASELINE if kind is EbsType.GP3 else 0):
        message = f"is {iops:,}, but {kind} has at most {per:,} per GiB, {per * gib:,} with {size}"
        yield Finding(path, message, f"size: {-(-iops // per)} GiB")
    old = [each for each in plan.types if each.family in _XEN]
    if iops > _MOST_ON_XEN and old:
        message = f"is {iops:,}, but {named(old)} are no Nitro instances, which have at most {_MOST_ON_XEN:,}"
        yield Finding(path, message, "later types")


@R100.environment
def types_have_disks(plan: EnvironmentPlan) -> Iterator[Finding]:
    without = [kind for kind in plan.types if not kind.disks]
    for i, each in enumerate(plan.spec.storage):
        if each.instance_store is not None and without:
            message = f"wants the instances' own disks, but {named(without)} {'has' if len(without) == 1 else 'have'} none"
            yield Finding(f"storage[{i}].instance_store", message, "requirements: {min_disks: 1}, or ebs: {}")


@R106.environment
def mount_points(plan: EnvironmentPlan) -> Iterator[Finding]:
    for i, each in enumerate(plan.spec.storage):
        mount = "/" + each.mount.strip("/")
        hidden = next((place for place in _SYSTEM if mount == place or place.startswith(f"{mount}/")), None)
        if mount == "/" or hidden:
            message = f"is {each.mount}, which hides {hidden or 'all'} of the host"
            yield Finding(f"storage[{i}].mount", message, f"mount: /{each.name}", waivable=False)
