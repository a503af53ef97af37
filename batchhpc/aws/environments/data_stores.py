"""The buckets and file systems of an environment: what they hold, and how they are deleted.

The template lets them outlive their stack, so that nobody loses data by deleting one in the console. They are found by the
environment's tag, whether the stack is still there or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.refusals import code_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.environment import ENVIRONMENT_TAG, stack_name
from batchhpc.errors import StackFailed, WaitTimeout

if TYPE_CHECKING:
    from mypy_boto3_fsx.type_defs import FileSystemTypeDef

    from batchhpc.aws.sdk import Clients

_MOST_COUNTED: Final = 10_000  # object versions
_AT_ONCE: Final = 1000  # keys of one DeleteObjects call
_GONE_WITHIN, _POLL = 1800.0, 3.0  # seconds
_GOING: Final = ("DELETING", "deleting", "deleted")


@dataclass(frozen=True, slots=True)
class DataStore:
    """A bucket or file system.

    Attributes:
        kind: ``bucket``, ``EFS`` or ``Lustre``.
        id: its name or id.
        holds: what is in it, as far as AWS tells.
        empty: whether it is known to hold nothing; AWS tells it of buckets only.
    """

    kind: str
    id: str
    holds: str
    empty: bool


def data_stores(name: str, clients: Clients) -> list[DataStore]:
    """Those that carry the environment's tag, or for buckets its stack's name and tag.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    return [*_buckets(name, clients), *_efs(name, clients), *_lustre(name, clients)]


def _is_ours(tags: Any, name: str) -> bool:
    return any(each["Key"] == ENVIRONMENT_TAG and each["Value"] == name for each in tags or [])


def _buckets(name: str, clients: Clients) -> Iterator[DataStore]:
    with sdk_errors():
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

        # An environment of the same name may be in another Region, with its own bucket.
        pages = clients.s3.get_paginator("list_buckets").paginate(Prefix=f"{stack_name(name)}-", BucketRegion=clients.region)
        found = [each["Name"] for page in pages for each in page["Buckets"]]
        for bucket in found:
            try:
                tags = clients.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
            except ClientError as error:
                if code_of(error) in ("NoSuchTagSet", "NoSuchBucket"):
                    continue
                raise
            if _is_ours(tags, name):
                yield _counted(bucket, clients)


def _counted(bucket: str, clients: Clients) -> DataStore:
    """What a bucket holds, older versions and unfinished uploads included; counting ends at `_MOST_COUNTED`."""
    count = size = older = 0
    more = False
    with sdk_errors():
        for page in clients.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = page.get("Versions", [])
            count += len(versions) + len(page.get("DeleteMarkers", []))
            older += sum(not each.get("IsLatest", True) for each in versions)
            size += sum(each.get("Size", 0) for each in versions)
            if more := count >= _MOST_COUNTED:
                break
        page_of_uploads = clients.s3.list_multipart_uploads(Bucket=bucket)
        uploads, more_uploads = len(page_of_uploads.get("Uploads", [])), page_of_uploads.get("IsTruncated", False)
    parts = [f"{'at least ' if more else ''}{count:,} object versions ({older:,} of them old), {size_text(size)}"]
    parts += [f"{'at least ' if more_uploads else ''}{uploads:,} unfinished uploads"] if uploads else []
    return DataStore("bucket", bucket, "; ".join(parts) if count or uploads else "nothing", empty=not count and not uploads)


def _efs(name: str, clients: Clients) -> Iterator[DataStore]:
    with sdk_errors():
        for page in clients.efs.get_paginator("describe_file_systems").paginate():
            for each in page["FileSystems"]:
                if _is_ours(each.get("Tags"), name) and each["LifeCycleState"] not in _GOING:
                    size = size_text(each["SizeInBytes"]["Value"])
                    # Right only if nothing was written for hours, so that no file system is known to be empty.
                    yield DataStore("EFS", each["FileSystemId"], f"{size} when last metered", empty=False)


def _lustre(name: str, clients: Clients) -> Iterator[DataStore]:
    for each in _lustre_systems(clients):
        if not _is_ours(each.get("Tags"), name):
            continue
        if each.get("Lifecycle") in _GOING:  # its interfaces are in the subnet until it is gone: to be waited for
            yield DataStore("Lustre", each["FileSystemId"], "being deleted", empty=True)
        else:
            kind = each.get("LustreConfiguration", {}).get("DeploymentType", "")
            size = f"{each['StorageCapacity']:,} GiB" if each.get("StorageCapacity") else "a growing"
            yield DataStore(
                "Lustre", each["FileSystemId"], f"{size} {kind} file system; AWS does not tell what is in it", empty=False
            )


def _lustre_systems(clients: Clients) -> Iterator[FileSystemTypeDef]:
    with sdk_errors():
        for page in clients.fsx.get_paginator("describe_file_systems").paginate():
            yield from page["FileSystems"]


def size_text(size: int) -> str:
    """Bytes for people: ``1.5 GiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


@dataclass(frozen=True, slots=True)
class Eraser:
    """Deletes data stores; each call waits until the store is gone, and is harmless if it is gone already.

    Attributes:
        pause: waits some seconds.
    """

    clients: Clients
    pause: Callable[[float], None] = time.sleep

    def erase(self, store: DataStore) -> None:
        """Deletes a store with all it holds.

        Raises:
            StackFailed: AWS could not delete it.
            WaitTimeout: it is not gone within half an hour.
            Unavailable: AWS refuses.
        """
        {"bucket": self._bucket, "EFS": self._efs, "Lustre": self._lustre}[store.kind](store.id)

    def _bucket(self, bucket: str) -> None:
        s3 = self.clients.s3
        with sdk_errors():
            from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

            try:
                for uploads in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
                    for each in uploads.get("Uploads", []):
                        s3.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
                for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                    items = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                    self._delete_objects(bucket, [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in items])
                s3.delete_bucket(Bucket=bucket)
            except ClientError as error:
                if code_of(error) != "NoSuchBucket":
                    raise

    def _delete_objects(self, bucket: str, items: list[dict[str, str]]) -> None:
        for i in range(0, len(items), _AT_ONCE):
            objects: Any = items[i : i + _AT_ONCE]
            answer = self.clients.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                first = errors[0]
                text = f"bucket {bucket}: {len(errors)} objects cannot be deleted, {first.get('Key')} first: {first.get('Message')}"
                raise StackFailed(f"{text}\n  hint: an object lock or a policy may hold them; batchhpc destroy again goes on")

    def _efs(self, system: str) -> None:
        with sdk_errors():
            from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

            try:
                targets = self.clients.efs.describe_mount_targets(FileSystemId=system)["MountTargets"]
                for each in targets:
                    self.clients.efs.delete_mount_target(MountTargetId=each["MountTargetId"])
            except ClientError as error:
                if code_of(error) == "FileSystemNotFound":
                    return
                raise
        self._wait(f"mount targets of {system}", lambda: not self._efs_targets(system))
        if self._efs_targets(system) is None:  # somebody else was faster
            return
        with sdk_errors():
            self.clients.efs.delete_file_system(FileSystemId=system)
        self._wait(f"EFS file system {system}", lambda: self._efs_targets(system) is None)

    def _efs_targets(self, system: str) -> int | None:
        """How many mount targets a file system has; None if it is gone."""
        with sdk_errors():
            from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

            try:
                return self.clients.efs.describe_file_systems(FileSystemId=system)["FileSystems"][0]["NumberOfMountTargets"]
            except ClientError as error:
                if code_of(error) == "FileSystemNotFound":
                    return None
                raise

    def _lustre(self, system: str) -> None:
        found = self._lustre_one(system)
        if found is None:
            return
        for association in self._associations(system):
            with sdk_errors():
                self.clients.fsx.delete_data_repository_association(AssociationId=association, DeleteDataInFileSystem=False)
        self._wait(f"data repositories of {system}", lambda: not self._associations(system, going=True))
        if found.get("Lifecycle") not in _GOING:
            with sdk_errors():
                self.clients.fsx.delete_file_system(FileSystemId=system)  # without a last backup, as is the default
        self._wait(f"Lustre file system {system}", lambda: self._lustre_one(system) is None)

    def _lustre_one(self, system: str) -> FileSystemTypeDef | None:
        with sdk_errors():
            from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

            try:
                found = self.clients.fsx.describe_file_systems(FileSystemIds=[system])["FileSystems"]
            except ClientError as error:
                if code_of(error) == "FileSystemNotFound":
                    return None
                raise
        return found[0] if found else None

    def _associations(self, system: str, *, going: bool = False) -> list[str]:
        with sdk_errors():
            # At most 8 of a file system, so that they are on one page.
            found = self.clients.fsx.describe_data_repository_associations(
                Filters=[{"Name": "file-system-id", "Values": [system]}]
            )["Associations"]
        return [each["AssociationId"] for each in found if going or each.get("Lifecycle") not in _GOING]

    def _wait(self, what: str, gone: Callable[[], bool]) -> None:
        waited = 0.0
        while not gone():
            if waited >= _GONE_WITHIN:
                raise WaitTimeout(
                    f"{what}: not gone within {_GONE_WITHIN / 60:.0f} minutes\n  hint: batchhpc destroy again goes on"
                )
            self.pause(_POLL)
            waited += _POLL
