"""Buckets and file systems in memory: what they hold, and what must go before they can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.unit.aws.fake_aws import REGION, Answer, FakeAws, Request
from tests.unit.aws.fake_jobs import Refusal

MADE = datetime(2027, 1, 15, tzinfo=UTC)


def tags(environment: str) -> list[dict[str, str]]:
    """The tag of an environment's stores."""
    return [{"Key": "batchhpc:environment", "Value": environment}]


@dataclass
class Bucket:
    """A bucket: versions as (key, version, latest, size), markers and unfinished uploads as (key, id)."""

    environment: str | None = "genomics"
    region: str = REGION
    versions: list[tuple[str, str, bool, int]] = field(default_factory=list)
    markers: list[tuple[str, str]] = field(default_factory=list)
    uploads: list[tuple[str, str]] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)


@dataclass
class FakeS3:
    """S3; pages of a thousand, as there."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def _bucket(self, request: Request) -> Bucket:
        if request["Bucket"] not in self.buckets:
            raise Refusal("The specified bucket does not exist", "NoSuchBucket", 404)
        return self.buckets[request["Bucket"]]

    def ListBuckets(self, request: Request) -> Answer:  # noqa: N802 - AWS's name
        there = [(name, one) for name, one in self.buckets.items() if name.startswith(request.get("Prefix", ""))]
        region = request.get("BucketRegion")
        return {"Buckets": [{"Name": name, "BucketRegion": one.region} for name, one in there if region in (None, one.region)]}

    def GetBucketTagging(self, request: Request) -> Answer:  # noqa: N802 - likewise
        environment = self._bucket(request).environment
        if environment is None:
            raise Refusal("The TagSet does not exist", "NoSuchTagSet", 404)
        return {"TagSet": tags(environment)}

    def ListObjectVersions(self, request: Request) -> Answer:  # noqa: N802 - likewise
        one = self._bucket(request)
        rows: list[tuple[str, str, dict[str, Any]]] = [
            (key, version, {"Key": key, "VersionId": version, "IsLatest": latest, "Size": size})
            for key, version, latest, size in one.versions
        ]
        rows += [(key, version, {"Key": key, "VersionId": version}) for key, version in one.markers]
        after = (request.get("KeyMarker", ""), request.get("VersionIdMarker", ""))
        rows = sorted((row for row in rows if row[:2] > after), key=lambda row: row[:2])
        page, more = rows[:1000], len(rows) > 1000
        answer: Answer = {
            "Versions": [row[2] for row in page if "Size" in row[2]],
            "DeleteMarkers": [row[2] for row in page if "Size" not in row[2]],
            "IsTruncated": more,
        }
        return answer | ({"NextKeyMarker": page[-1][0], "NextVersionIdMarker": page[-1][1]} if more else {})

    def ListMultipartUploads(self, request: Request) -> Answer:  # noqa: N802 - likewise
        after = (request.get("KeyMarker", ""), request.get("UploadIdMarker", ""))
        rows = sorted(row for row in self._bucket(request).uploads if row > after)
        page, more = rows[:1000], len(rows) > 1000
        answer: Answer = {"Uploads": [{"Key": key, "UploadId": upload} for key, upload in page], "IsTruncated": more}
        return answer | ({"NextKeyMarker": page[-1][0], "NextUploadIdMarker": page[-1][1]} if more else {})

    def AbortMultipartUpload(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self._bucket(request).uploads.remove((request["Key"], request["UploadId"]))
        return {}

    def DeleteObjects(self, request: Request) -> Answer:  # noqa: N802 - likewise
        one, objects = self._bucket(request), request["Delete"]["Objects"]
        if len(objects) > 1000:
            raise Refusal("The XML you provided was not well-formed", "MalformedXML")
        wrong = [{"Key": each["Key"], "Message": "Access Denied"} for each in objects if each["Key"] in one.locked]
        gone = {(each["Key"], each["VersionId"]) for each in objects if each["Key"] not in one.locked}
        one.versions = [row for row in one.versions if row[:2] not in gone]
        one.markers = [row for row in one.markers if row not in gone]
        return {"Errors": wrong} if wrong else {}

    def DeleteBucket(self, request: Request) -> Answer:  # noqa: N802 - likewise
        one = self._bucket(request)
        if one.versions or one.markers:
            raise Refusal("The bucket you tried to delete is not empty", "BucketNotEmpty", 409)
        del self.buckets[request["Bucket"]]
        return {}


@dataclass
class FakeEfs:
    """EFS: a file system goes when its mount targets have gone, and each takes so many looks."""

    systems: dict[str, str] = field(default_factory=dict)  # id -> environment
    targets: dict[str, str] = field(default_factory=dict)  # mount target -> file system
    looks: int = 2
    going: dict[str, int] = field(default_factory=dict)

    def _pass(self) -> None:
        for name in list(self.going):
            self.going[name] -= 1
            if self.going[name] <= 0:
                del self.going[name]
                self.targets.pop(name, None)
                self.systems.pop(name, None)

    def DescribeFileSystems(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self._pass()
        wanted = request.get("FileSystemId")
        if wanted is not None and wanted not in self.systems:
            raise Refusal("no such file system", "FileSystemNotFound", 404)
        return {"FileSystems": [self._system(name) for name in self.systems if wanted in (None, name)]}

    def _system(self, name: str) -> Answer:
        return {
            "OwnerId": "123456789012",
            "CreationToken": name,
            "FileSystemId": name,
            "CreationTime": MADE,
            "LifeCycleState": "deleting" if name in self.going else "available",
            "NumberOfMountTargets": sum(system == name for system in self.targets.values()),
            "SizeInBytes": {"Value": 3 << 30},
            "PerformanceMode": "generalPurpose",
            "Tags": tags(self.systems[name]),
        }

    def DescribeMountTargets(self, request: Request) -> Answer:  # noqa: N802 - likewise
        name = request["FileSystemId"]
        if name not in self.systems:
            raise Refusal("no such file system", "FileSystemNotFound", 404)
        there = [target for target, system in self.targets.items() if system == name]
        more = {"FileSystemId": name, "SubnetId": "subnet-0123456789abcdef0", "LifeCycleState": "available"}
        return {"MountTargets": [{"MountTargetId": target, **more} for target in there]}

    def DeleteMountTarget(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self.going[request["MountTargetId"]] = self.looks
        return {}

    def DeleteFileSystem(self, request: Request) -> Answer:  # noqa: N802 - likewise
        name = request["FileSystemId"]
        if name in self.targets.values():
            raise Refusal("file system has mount targets", "FileSystemInUse", 409)
        self.going[name] = self.looks
        return {}


@dataclass
class FakeFsx:
    """FSx: a file system, its data repositories, and how long each takes to go."""

    systems: dict[str, str] = field(default_factory=dict)  # id -> environment
    repositories: dict[str, str] = field(default_factory=dict)  # association -> file system
    looks: int = 2
    going: dict[str, int] = field(default_factory=dict)
    on_delete: Callable[[], None] = lambda: None

    def _pass(self) -> None:
        for name in list(self.going):
            self.going[name] -= 1
            if self.going[name] <= 0:
                del self.going[name]
                self.repositories.pop(name, None)
                self.systems.pop(name, None)

    def DescribeFileSystems(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self._pass()
        wanted = request.get("FileSystemIds")
        if wanted and wanted[0] not in self.systems:
            raise Refusal("no such file system", "FileSystemNotFound")
        return {"FileSystems": [self._system(name) for name in self.systems if not wanted or name in wanted]}

    def _system(self, name: str) -> Answer:
        return {
            "FileSystemId": name,
            "Lifecycle": "DELETING" if name in self.going else "AVAILABLE",
            "StorageCapacity": 1200,
            "LustreConfiguration": {"DeploymentType": "SCRATCH_2"},
            "Tags": tags(self.systems[name]),
        }

    def DescribeDataRepositoryAssociations(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self._pass()
        (wanted,) = request["Filters"][0]["Values"]
        there = [name for name, system in self.repositories.items() if system == wanted]
        states = {name: "DELETING" if name in self.going else "AVAILABLE" for name in there}
        return {"Associations": [{"AssociationId": name, "Lifecycle": states[name]} for name in there]}

    def DeleteDataRepositoryAssociation(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self.going[request["AssociationId"]] = self.looks
        return {"AssociationId": request["AssociationId"]}

    def DeleteFileSystem(self, request: Request) -> Answer:  # noqa: N802 - likewise
        name = request["FileSystemId"]
        if name in self.repositories.values():
            raise Refusal("has data repositories", "BadRequest")
        self.going[name] = self.looks
        self.on_delete()
        return {"FileSystemId": name, "Lifecycle": "DELETING"}


@dataclass
class Stores:
    """All three, and a line to them."""

    s3: FakeS3 = field(default_factory=FakeS3)
    efs: FakeEfs = field(default_factory=FakeEfs)
    fsx: FakeFsx = field(default_factory=FakeFsx)

    def aws(self) -> FakeAws:
        return FakeAws().serve("s3", self.s3).serve("efs", self.efs).serve("fsx", self.fsx)
