"""What an environment stores data on: file systems and disks mounted on every node, and one bucket."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from batchhpc.errors import Problem
from batchhpc.spec.model import Model
from batchhpc.spec.quantities import Duration, Memory

_DAY = 86_400_000  # ms
_KINDS = ("lustre", "efs", "ebs", "instance_store")


class LustreDeployment(StrEnum):
    """Deployment types of FSx for Lustre; scratch file systems are not replicated."""

    SCRATCH_1 = "scratch-1"
    SCRATCH_2 = "scratch-2"
    PERSISTENT_1 = "persistent-1"
    PERSISTENT_2 = "persistent-2"


class LustreStorage(StrEnum):
    """What a Lustre file system is made of."""

    SSD = "ssd"
    HDD = "hdd"
    INTELLIGENT_TIERING = "intelligent-tiering"


class DataRepository(Model):
    """A part of a bucket that a Lustre file system shows as files (R104)."""

    path: str = Field(default="/", pattern=r"^/")
    """Directory of the file system. ``/`` only as the first and only one; directories must not overlap (R104)."""
    s3: str = Field(pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?|bucket(/.*)?)$")
    """``s3://bucket/prefix``, or ``bucket/prefix`` for the environment's own bucket."""
    import_changes: bool = True
    """Whether new, changed and deleted objects show up as files."""
    export_changes: bool = False
    """Whether new, changed and deleted files go to the bucket."""


class Lustre(Model):
    """An Amazon FSx for Lustre file system (R103)."""

    deployment: LustreDeployment = LustreDeployment.SCRATCH_2
    """scratch-2 for a job's own data, persistent-2 for data that stay."""
    storage: LustreStorage = LustreStorage.SSD
    """ssd; hdd with persistent-1, intelligent-tiering with persistent-2 only."""
    capacity: Memory | None = Memory.parse("1200 GiB")
    """Size in the steps of the deployment type (R103); left out (null) with intelligent-tiering, which grows by itself."""
    throughput: int | None = None
    """MB/s per TiB of a persistent file system: 125, 250, 500 or 1000 with persistent-2 (R103). With intelligent-tiering the
    MB/s of the whole, a multiple of 4000."""
    drive_cache: bool = False
    """A read cache on SSD before a persistent-1 file system of disks."""
    read_cache: Memory | None = None
    """Size of the SSD read cache of intelligent-tiering; in proportion to its throughput if left out."""
    metadata_iops: int | None = None
    """Metadata operations per second of persistent-2: 1500, 3000, 6000 or multiples of 12000; by size if left out."""
    efa: bool = False
    """Whether nodes reach it over EFA: persistent-2 with metadata IOPS, or intelligent-tiering (R105)."""
    compression: bool = True
    """Whether data are compressed (LZ4)."""
    backup_days: int = 0
    """Days that daily backups of a persistent file system are kept, 0 to 90; 0 for none."""
    data: tuple[DataRepository, ...] = ()
    """Parts of buckets shown as files."""


class EfsThroughput(StrEnum):
    """How the throughput of an EFS file system is paid for."""

    ELASTIC = "elastic"
    PROVISIONED = "provisioned"
    BURSTING = "bursting"


class Efs(Model):
    """An Amazon EFS file system (R102), encrypted at rest and in transit."""

    throughput: EfsThroughput = EfsThroughput.ELASTIC
    """elastic (recommended), provisioned or bursting."""
    provisioned_mibps: float | None = None
    """MiB/s of provisioned throughput, 1 to 3414 (R102)."""
    max_io: bool = False
    """Performance mode maxIO, of the previous generation; not with elastic throughput or one zone (R102)."""
    one_zone: bool = False
    """Whether data are kept in the nodes' zone only: cheaper, and lost with the zone."""
    archive_after_days: int | None = None
    """Days without access after which files move to the infrequent-access class; one of 1, 7, 14, 30, 60, 90, 180, 270, 365."""
    backup: bool = True
    """Whether AWS Backup keeps copies."""


class EbsType(StrEnum):
    """Volume types of EBS for data."""

    GP3 = "gp3"
    IO2 = "io2"
    IO1 = "io1"
    ST1 = "st1"


class Ebs(Model):
    """An EBS volume on each node, made and deleted with it (R101); always encrypted."""

    type: EbsType = EbsType.GP3
    """gp3, io2 (Block Express), io1 or st1."""
    size: Memory = Memory.parse("100 GiB")
    """Size of each node's volume."""
    iops: int | None = None
    """IOPS: gp3 3,000 to 80,000, io2 100 to 256,000 and at most 1,000 per GiB (R101)."""
    throughput: int | None = None
    """MiB/s of gp3, 125 to 2,000 (R101)."""


class InstanceStore(Model):
    """The instance's own disks as one RAID 0; empty at every start, lost with the instance (R100)."""


class Storage(Model):
    """A file system or disk that every node mounts, and that jobs refer to by its name."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """Name that mounts of a job spec refer to."""
    mount: str = Field(pattern=r"^/[A-Za-z0-9._/-]+$")
    """Directory on the nodes, and in containers unless the job's mount names another."""
    lustre: Lustre | None = None
    """FSx for Lustre."""
    efs: Efs | None = None
    """EFS."""
    ebs: Ebs | None = None
    """A volume per node."""
    instance_store: InstanceStore | None = None
    """The instances' own disks."""

    @property
    def kind(self) -> str:
        """Which of the four it is; empty if none or several are given."""
        given = [name for name in _KINDS if getattr(self, name) is not None]
        return given[0] if len(given) == 1 else ""

    def problems(self) -> list[Problem]:
        """A storage that is not exactly one thing."""
        given = [name for name in _KINDS if getattr(self, name) is not None]
        if len(given) == 1:
            return []
        what = f"has {' and '.join(given)}" if given else "says not what it is"
        return [Problem("", what, f"give exactly one of {', '.join(_KINDS)}; {{}} takes its defaults")]


class Expiry(Model):
    """Objects that are deleted by their age."""

    prefix: str = ""
    """What their keys start with; all of them if left out."""
    after: Duration
    """Their age; whole days."""


class Bucket(Model):
    """The environment's S3 bucket for inputs, results and checkpoints: private, TLS only, encrypted.

    Jobs use ``s3://``: files of a mounted bucket cannot be changed (R107). `Lustre.data` shows parts of it as files that can.
    """

    versioning: bool = True
    """Whether overwritten and deleted objects are kept as older versions."""
    keep_versions: Duration = Duration.parse("30d")
    """How long older versions are kept; whole days."""
    expire: tuple[Expiry, ...] = (Expiry(prefix="checkpoints/", after=Duration.parse("30d")),)
    """Objects that are deleted when they are old enough; checkpoints after 30 days unless another list is given."""
    infrequent_access: Duration | None = None
    """Age at which objects move to the infrequent-access class, at least 30 days; never if left out."""

    def problems(self) -> list[Problem]:
        """Ages that are not whole days, or too small for S3."""
        ages = [("keep_versions", self.keep_versions, 1), ("infrequent_access", self.infrequent_access, 30)]
        ages += [(f"expire[{i}].after", each.after, 1) for i, each in enumerate(self.expire)]
        found = []
        for name, age, least in ages:
            if age is None:
                continue
            if age % _DAY:
                found.append(Problem(name, f"is {age}, but S3 counts whole days", f"{age // _DAY + 1}d"))
            elif age < least * _DAY:
                found.append(Problem(name, f"is {age}, but must be at least {least}d"))
        return found
