"""Checkpoints in a bucket, over the wire, with what may go wrong there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from batchhpc.rank.checkpoint import Checkpoint, CheckpointError, Overtaken, StoreFailed, s3_store
from batchhpc.rank.checkpoint.s3_store import S3Store
from tests.e2e.emulator import Emulator
from tests.e2e.s3_proxy import Fault, Proxy, proxy_to
from tests.unit.rank.jobs import ALONE, IDENTITY, assert_same, loaded, save, saved

BUCKET = "checkpoints"
BIG = (40 << 20) // 8  # float64 numbers: five pieces of a multipart upload


@pytest.fixture
def proxy(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to a bucket that is empty."""
    import boto3

    boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with proxy_to(emulator.endpoint) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.address)
        yield made


def store(deadline: float = 30.0) -> S3Store:
    return S3Store(f"s3://{BUCKET}/runs/7", deadline)


def big(step: int) -> np.ndarray:
    return np.random.default_rng(step).random(BIG)


def test_bucket_keeps_checkpoints(proxy: Proxy) -> None:
    """Ranks save to a bucket, other numbers of ranks load the same bits; large parts go up in pieces; old ones are removed."""
    saved(store(), 3, 1, 2, 3)
    for ranks in (1, 2, 3):
        for one in loaded(store(), ranks, without=["generator"]):
            assert_same(one, 3)
    with Checkpoint(store(), **IDENTITY, environ={}) as checkpoint:
        checkpoint.load(without=["generator"])
        checkpoint.save(4, {"x": big(4)})
    found = Checkpoint(store(), **IDENTITY, environ={}).load(bounds={"x": (BIG - 100, BIG)})
    assert found
    assert found.arrays["x"].tobytes() == big(4)[-100:].tobytes()
    assert proxy.count(r"PUT .*partNumber=\d+") == 5
    assert proxy.count("GET .*0000000005-000001/000000.bin") == 1  # the chunk it lies in
    assert {key.split("/")[1][:10] for key in store().list("parts/")} == {"0000000001", "0000000005"}


@pytest.mark.parametrize("kind", ["busy", "lost", "late"])
def test_every_request_may_fail_once(proxy: Proxy, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every single call (conditional writes, pieces, completion, lists, reads, deletes) may fail once, with 503, a lost answer, or
    one that comes too late: the checkpoint is made and loaded all the same, exactly once.
    """
    monkeypatch.setattr(s3_store, "_ANSWER_WITHIN", 1.0 if kind == "late" else 20.0)
    faults = [
        ("PUT", "journal/", 2),
        ("POST", r"\?uploads", 1),
        ("PUT", "partNumber", 3),
        ("POST", "uploadId", 1),
        ("PUT", r"000000\.json", 1),
        ("GET", "list-type", 3),
        ("GET", "journal/.*json", 2),
        ("GET", r"\.bin", 1),
        ("POST", r"\?delete", 1),
        ("GET", r"\?.*uploads", 1),
    ]
    made = [Fault(method, path, kind, times, seconds=2.0) for method, path, times in faults]
    proxy.faults = made
    with Checkpoint(store(), **IDENTITY, environ={}, keep=1) as checkpoint:
        assert checkpoint.load() is None
        for step in (1, 2):
            checkpoint.save(step, {"x": big(step)})
        found = checkpoint.load()
    assert found
    assert (found.step, found.arrays["x"].tobytes()) == (2, big(2).tobytes())
    assert not [fault for fault in made if fault.times]
    assert len(store().list("journal/")) == 2
    assert {key.split("/")[1] for key in store().list("parts/")} == {"0000000001-000002"}


def test_answer_that_ends_early_is_asked_for_again(proxy: Proxy) -> None:
    """A body that is cut off in the middle is read anew."""
    saved(store(), 1, 1)
    proxy.faults = [Fault("GET", r"\.bin", "cut"), Fault("GET", "journal/.*json", "cut")]
    (found,) = loaded(store(), 1)
    assert_same(found, 1)
    assert not any(fault.times for fault in proxy.faults)


def test_race_for_the_journal_has_one_winner(proxy: Proxy) -> None:
    """A newer run that begins while the older one's commit is on its way wins; the older one is told, and has committed nothing."""
    newer = []

    def begin() -> None:
        newer.append(Checkpoint(store(), **IDENTITY, environ={}))

    saved(store(), 1, 1)
    older = Checkpoint(store(), **IDENTITY, environ={})
    proxy.faults = [Fault("PUT", "journal/0000000004.json", "raced", before=begin)]
    save(older, ALONE, 2)
    with pytest.raises(Overtaken):
        older.wait()
    save(newer[0], ALONE, 3)
    newer[0].wait()
    assert_same(newer[0].load(), 3)


def test_race_for_the_epoch_has_one_winner(proxy: Proxy) -> None:
    """Two runs that begin at the same moment take different numbers; the later one may write."""
    others = []
    proxy.faults = [Fault("PUT", "journal/0000000001.json", "raced", before=lambda: others.append(Checkpoint(store(), **IDENTITY)))]
    later = Checkpoint(store(), **IDENTITY, environ={})
    save(later, ALONE, 2)
    later.wait()
    save(others[0], ALONE, 1)
    with pytest.raises(Overtaken):
        others[0].wait()


@pytest.mark.parametrize(("kind", "said"), [("busy", "SlowDown"), ("late", "Read timeout")])
def test_bucket_that_stays_away_ends_the_save(proxy: Proxy, kind: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that fail until their deadline end the save with an error that names the object; the one before is still there."""
    monkeypatch.setattr(s3_store, "_ANSWER_WITHIN", 1.0)
    saved(store(), 1, 1)
    checkpoint = Checkpoint(store(4.0), **IDENTITY, environ={})
    proxy.faults = [Fault("PUT", r"parts/.*\.bin", kind, -1, seconds=1.5)]
    save(checkpoint, ALONE, 2)
    with pytest.raises(StoreFailed, match=rf"cannot write s3://{BUCKET}/runs/7/parts/.*\.bin: .*{said}"):
        checkpoint.wait()
    proxy.faults.clear()
    assert_same(checkpoint.load(), 1)


def test_failed_upload_leaves_no_pieces(proxy: Proxy) -> None:
    """An upload that fails is ended, and one whose writer died is ended by the next run: S3 charges for pieces that nobody sees."""
    import boto3

    client = boto3.client("s3")
    dead = Checkpoint(store(), **IDENTITY, environ={})
    key = f"runs/7/parts/{dead._journal.epoch:010d}-000009/000000.bin"
    client.create_multipart_upload(Bucket=BUCKET, Key=key)
    client.create_multipart_upload(Bucket=BUCKET, Key="elsewhere/parts/0000000001-000001/000000.bin")
    checkpoint = Checkpoint(store(4.0), **IDENTITY, environ={})
    proxy.faults = [Fault("PUT", "partNumber=3", "busy", -1)]
    checkpoint.save(1, {"x": big(1)})
    with pytest.raises(StoreFailed, match="SlowDown"):
        checkpoint.wait()
    others = "elsewhere/parts/0000000001-000001/000000.bin"
    assert {item["Key"] for item in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]} == {others, key}
    save(checkpoint, ALONE, 2)
    checkpoint.wait()
    assert {item["Key"] for item in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]} == {others}


def test_truncated_object_is_damage(proxy: Proxy) -> None:
    """An object that ends before the bytes that are wanted is named as damaged, like a file."""
    import boto3

    saved(store(), 1, 1, 2)
    newest = max(key for key in store().list("parts/") if key.endswith(".bin"))
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"runs/7/{newest}", Body=b"")
    with pytest.warns(UserWarning, match=r"expected [\d,]+ bytes, found 0.*\n  the one before is used: step 1"):
        loaded(store(), 1)


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix"])
def test_address_without_bucket(address: str) -> None:
    """An address that names no bucket is refused."""
    with pytest.raises(CheckpointError, match="no bucket is named"):
        Checkpoint(address, **IDENTITY)


def test_bucket_that_is_not_there(proxy: Proxy) -> None:
    """A wrong bucket is an error at once, with S3's words."""
    with pytest.raises(StoreFailed, match="NoSuchBucket"):
        Checkpoint("s3://other-bucket/x", **IDENTITY)
    assert proxy.count("other-bucket") == 1


def test_boto3_is_needed_for_buckets_only(tmp_path) -> None:
    """Without boto3 a directory works, and s3:// says what to install; with it, a directory does not load it."""
    program = """
import json, sys
if sys.argv[2] == "without": sys.modules["boto3"] = None
from batchhpc.rank import Checkpoint
options = dict(inputs={}, version="1")
Checkpoint(sys.argv[1], **options).save(1, wait=True)
loaded = sorted({"boto3", "botocore", "mpi4py", "pydantic"} & {name for name, module in sys.modules.items() if module})
try: Checkpoint("s3://bucket/x", **options) if sys.argv[2] == "without" else None
except Exception as error: print(json.dumps([loaded, type(error).__name__, str(error)]))
else: print(json.dumps([loaded]))
"""

    def run(how: str) -> list[object]:
        argv = [sys.executable, "-c", program, str(tmp_path / how), how]
        return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout)  # type: ignore[no-any-return]

    assert run("with") == [[]]
    loaded, kind, text = run("without")
    assert (loaded, kind) == ([], "Unavailable")
    assert "hint: pip install boto3" in str(text)
