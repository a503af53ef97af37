"""Rules about Amazon EFS."""

from __future__ import annotations

from collections.abc import Iterator

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec.storage import Efs, EfsThroughput

R102 = Rule("R102", "EFS: 1 to 3414 MiB/s if provisioned; maxIO not with elastic throughput or one zone; EFS's steps of days.")

_DAYS = (1, 7, 14, 30, 60, 90, 180, 270, 365)


@R102.environment
def efs(plan: EnvironmentPlan) -> Iterator[Finding]:
    for i, each in enumerate(plan.spec.storage):
        if each.efs is not None:
            yield from _file_system(f"storage[{i}].efs", each.efs)


def _file_system(path: str, efs: Efs) -> Iterator[Finding]:
    provisioned = efs.throughput is EfsThroughput.PROVISIONED
    if provisioned and efs.provisioned_mibps is None:
        yield Finding(f"{path}.provisioned_mibps", "is missing, but throughput is provisioned", "1 to 3414", waivable=False)
    elif provisioned and not 1 <= (efs.provisioned_mibps or 0) <= 3414:
        yield Finding(f"{path}.provisioned_mibps", f"is {efs.provisioned_mibps:g} MiB/s, but must be 1 to 3414 MiB/s")
    elif not provisioned and efs.provisioned_mibps is not None:
        message = f"is {efs.provisioned_mibps:g} MiB/s, but throughput is {efs.throughput}"
        yield Finding(f"{path}.provisioned_mibps", message, "throughput: provisioned, or leave it out")
    if efs.max_io and efs.throughput is EfsThroughput.ELASTIC:
        yield Finding(f"{path}.max_io", "is true, but there is no maxIO with elastic throughput", "leave it out")
    elif efs.max_io and not efs.one_zone:
        message = "is true: maxIO is of the previous generation, slower for each operation"
        yield Finding(f"{path}.max_io", message, "leave it out, with throughput: elastic", Severity.WARNING)
    if efs.max_io and efs.one_zone:
        yield Finding(f"{path}.max_io", "is true, but there is no maxIO in one zone", "leave it out")
    if efs.archive_after_days is not None and efs.archive_after_days not in _DAYS:
        message = f"is {efs.archive_after_days}, but EFS knows {', '.join(map(str, _DAYS))} days"
        yield Finding(f"{path}.archive_after_days", message, waivable=False)
