"""Buckets and file systems of an environment: found, counted, and emptied to the last version."""

from __future__ import annotations

import pytest

from batchhpc.aws.environments.data_stores import DataStore, Eraser, data_stores, size_text
from batchhpc.errors import StackFailed, Unavailable, WaitTimeout
from tests.unit.aws.fake_jobs import Refusal
from tests.unit.aws.fake_stores import Bucket, Stores

NAME = "batchhpc-genomics-bucket-1"


def store(kind: str, name: str = NAME) -> DataStore:
    """A store to erase."""
    return DataStore(kind, name, "something", empty=False)


def full(versions: int, markers: int = 0, uploads: int = 0) -> Bucket:
    """A bucket with so much in it."""
    return Bucket(
        versions=[(f"key-{i // 2:05}", f"v{i % 2}", i % 2 == 1, 1024) for i in range(versions)],
        markers=[(f"gone-{i:05}", "m") for i in range(markers)],
        uploads=[(f"half-{i:05}", "u") for i in range(uploads)],
    )


def test_stores_are_found_by_tag_in_their_region() -> None:
    """Stores that carry the environment's tag are its own; those of others, or of its namesake in another Region, are not."""
    stores = Stores()
    stores.s3.buckets = {
        NAME: Bucket(),
        "batchhpc-genomics-2-bucket": Bucket("genomics-2"),
        "batchhpc-genomics-untagged": Bucket(None),
        "batchhpc-genomics-elsewhere": Bucket(region="us-east-1"),
        "other": Bucket(),
    }
    stores.efs.systems = {"fs-00000001": "genomics", "fs-00000002": "risk"}
    stores.fsx.systems = {"fs-00000003": "genomics", "fs-00000004": "risk"}
    assert data_stores("genomics", stores.aws().clients) == [
        DataStore("bucket", NAME, "nothing", empty=True),
        DataStore("EFS", "fs-00000001", "3.0 GiB when last metered", empty=False),
        DataStore("Lustre", "fs-00000003", "1,200 GiB SCRATCH_2 file system; AWS does not tell what is in it", empty=False),
    ]


@pytest.mark.parametrize(
    ("bucket", "holds"),
    [
        (full(3, 1, 2), "4 object versions (2 of them old), 3.0 KiB; 2 unfinished uploads"),
        (full(0, 0, 1), "0 object versions (0 of them old), 0 B; 1 unfinished uploads"),
        (full(20_000), "at least 10,000 object versions (5,000 of them old), 9.8 MiB"),
        (full(0, 0, 1001), "0 object versions (0 of them old), 0 B; at least 1,000 unfinished uploads"),
    ],
)
def test_what_a_bucket_holds(bucket: Bucket, holds: str) -> None:
    """Versions, delete markers and unfinished uploads count; counting ends at ten thousand."""
    stores = Stores()
    stores.s3.buckets[NAME] = bucket
    assert data_stores("genomics", stores.aws().clients) == [DataStore("bucket", NAME, holds, empty=False)]


def test_file_systems_that_go_already() -> None:
    """A Lustre file system that is being deleted is waited for, and nobody is asked about it; such an EFS holds up nothing."""
    stores = Stores()
    stores.fsx.systems, stores.fsx.going = {"fs-00000003": "genomics"}, {"fs-00000003": 9}
    stores.efs.systems, stores.efs.going = {"fs-00000001": "genomics"}, {"fs-00000001": 9}
    aws = stores.aws()
    (found,) = data_stores("genomics", aws.clients)
    assert found == DataStore("Lustre", "fs-00000003", "being deleted", empty=True)
    pauses: list[float] = []
    Eraser(aws.clients, pauses.append).erase(found)
    assert stores.fsx.systems == {}
    assert pauses
    assert "fsx.DeleteFileSystem" not in aws.names


def test_a_bucket_is_emptied_in_thousands() -> None:
    """All versions, markers and uploads go, at most a thousand in a request, and then the bucket."""
    stores = Stores()
    stores.s3.buckets = {NAME: full(2100, 400, 1500), "other": full(1)}
    aws = stores.aws()
    Eraser(aws.clients).erase(store("bucket"))
    assert list(stores.s3.buckets) == ["other"]
    sizes = [len(request["Delete"]["Objects"]) for request in aws.asked("s3.DeleteObjects")]
    assert (sum(sizes), max(sizes)) == (2500, 1000)
    assert len(aws.asked("s3.AbortMultipartUpload")) == 1500


def test_objects_that_cannot_be_deleted() -> None:
    """What S3 does not delete is named, and the bucket stays."""
    stores = Stores()
    stores.s3.buckets[NAME] = full(4)
    stores.s3.buckets[NAME].locked = {"key-00001"}
    with pytest.raises(StackFailed, match="2 objects cannot be deleted, key-00001 first: Access Denied"):
        Eraser(stores.aws().clients).erase(store("bucket"))
    assert NAME in stores.s3.buckets


@pytest.mark.parametrize("kind", ["bucket", "EFS", "Lustre"])
def test_what_is_gone_is_gone(kind: str) -> None:
    """Erasing what is not there any more is harmless."""
    pauses: list[float] = []
    Eraser(Stores().aws().clients, pauses.append).erase(store(kind, "fs-00000009"))
    assert pauses == []


def test_an_efs_goes_after_its_mount_targets() -> None:
    """Mount targets are deleted and waited for, then the file system; those of others stay."""
    stores = Stores()
    stores.efs.systems = {"fs-00000001": "genomics", "fs-00000002": "risk"}
    stores.efs.targets = {"fsmt-00000001": "fs-00000001", "fsmt-00000002": "fs-00000001", "fsmt-00000003": "fs-00000002"}
    Eraser(stores.aws().clients, lambda _: None).erase(store("EFS", "fs-00000001"))
    assert (stores.efs.systems, stores.efs.targets) == ({"fs-00000002": "risk"}, {"fsmt-00000003": "fs-00000002"})


def test_an_efs_that_somebody_else_deletes() -> None:
    """A file system that goes while its mount targets are waited for is gone, and not waited for any longer."""
    stores = Stores()
    stores.efs.systems, stores.efs.targets = {"fs-00000001": "genomics"}, {"fsmt-00000001": "fs-00000001"}
    aws, pauses = stores.aws(), list[float]()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        stores.efs.systems.clear()

    Eraser(aws.clients, pause).erase(store("EFS", "fs-00000001"))
    assert len(pauses) == 1
    assert "efs.DeleteFileSystem" not in aws.names


def test_a_lustre_goes_after_its_repositories() -> None:
    """Data repositories are cut off without touching what is in the bucket, then the file system goes."""
    stores = Stores()
    stores.fsx.systems, stores.fsx.repositories = (
        {"fs-00000003": "genomics"},
        {"dra-0123456789abcdef1": "fs-00000003", "dra-0123456789abcdef2": "fs-00000003"},
    )
    aws = stores.aws()
    Eraser(aws.clients, lambda _: None).erase(store("Lustre", "fs-00000003"))
    assert (stores.fsx.systems, stores.fsx.repositories) == ({}, {})
    assert [each["DeleteDataInFileSystem"] for each in aws.asked("fsx.DeleteDataRepositoryAssociation")] == [False, False]


@pytest.mark.parametrize(("kind", "what"), [("EFS", "EFS file system fs-00000001"), ("Lustre", "Lustre file system fs-00000001")])
def test_a_store_that_does_not_go(kind: str, what: str) -> None:
    """The wait for a store ends after half an hour, and names it."""
    stores = Stores()
    stores.efs.systems = stores.fsx.systems = {"fs-00000001": "genomics"}
    stores.efs.looks = stores.fsx.looks = 100_000
    pauses: list[float] = []
    with pytest.raises(WaitTimeout, match=f"{what}: not gone within 30 minutes"):
        Eraser(stores.aws().clients, pauses.append).erase(store(kind, "fs-00000001"))
    assert sum(pauses) == 1800


@pytest.mark.parametrize(
    "operation", ["s3.ListBuckets", "s3.GetBucketTagging", "efs.DescribeFileSystems", "fsx.DescribeFileSystems"]
)
def test_what_may_not_be_looked_at(operation: str) -> None:
    """A refusal while looking for data stops everything: what cannot be seen must not be taken for nothing."""
    stores = Stores()
    stores.s3.buckets[NAME] = Bucket()
    with pytest.raises(Unavailable, match="access denied"):
        data_stores("genomics", stores.aws().on(operation, Refusal("no", "AccessDenied", 403)).clients)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 << 20, "1.5 GiB"), (5000 << 40, "5000.0 TiB")]
)
def test_sizes(size: int, text: str) -> None:
    """Sizes are told in the largest unit that leaves at least one of it."""
    assert size_text(size) == text
