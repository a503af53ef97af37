"""Checkpoints in a bucket. The one module of a rank that knows boto3, and imports it when an ``s3://`` address is opened.

Every call has a deadline, within which it is tried again after 500, 503, throttling, time-outs and broken connections. A try whose
answer got lost may have been done: what that leads to (412, NoSuchUpload) is settled by reading back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from batchhpc.errors import Unavailable
from batchhpc.rank.checkpoint.errors import Missing, StoreFailed
from batchhpc.rank.checkpoint.retrying import keep_trying

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
_PIECE: Final = 8 << 20  # bytes of a part of a multipart upload, at least; S3 wants 5 MiB or more
_MOST_PIECES: Final = 10_000  # of one upload: S3's limit
_UPLOADS, _READS = 4, 8  # pieces of one object under way at once; as much memory as so many pieces
_CONNECT_WITHIN, _ANSWER_WITHIN = 5.0, 20.0  # seconds of one try
_MOST_DELETED: Final = 1000  # keys of one call: S3's limit
_PASSING: Final = {
    "InternalError",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "Throttling",
    "ConditionalRequestConflict",  # 409: another conditional write of the same key is under way
}


class S3Store:
    """Below a prefix of a bucket. The Region, credentials and AWS_ENDPOINT_URL_S3 are found as the SDK finds them.

    Args:
        address: ``s3://bucket/prefix``.
        deadline: seconds for each call, with all its tries.

    Raises:
        Unavailable: boto3 is not installed.
        StoreFailed: the address is none.
    """

    streams = _READS

    def __init__(self, address: str, deadline: float) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise StoreFailed(f"{address}: no bucket is named\n  hint: s3://bucket/prefix")
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._deadline = deadline
        self._client, self._refused, self._broken = _connect(min(_ANSWER_WITHIN, deadline))

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def write(self, key: str, data: memoryview) -> None:
        if len(data) <= _PIECE:
            self._call("write", key, lambda: self._client.put_object(**self._at(key), Body=bytes(data)))
            return
        upload = self._call("write", key, lambda: self._client.create_multipart_upload(**self._at(key)))["UploadId"]
        piece = max(_PIECE, -(-len(data) // _MOST_PIECES))

        def send(start: int) -> Any:
            number, body = start // piece + 1, bytes(data[start : start + piece])
            where = {**self._at(key), "UploadId": upload, "PartNumber": number}
            answer = self._call("write", key, lambda: self._client.upload_part(**where, Body=body))
            checksums = {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}
            return {"PartNumber": number, "ETag": answer["ETag"], **checksums}

        try:
            with ThreadPoolExecutor(_UPLOADS, "checkpoint-upload") as pool:
                sent = list(pool.map(send, range(0, len(data), piece)))
            self._complete(key, upload, sent, len(data))
        except BaseException:
            with suppress(StoreFailed):
                self._abort(key, upload)
            raise

    def _complete(self, key: str, upload: str, sent: list[Any], size: int) -> None:
        where = {**self._at(key), "UploadId": upload, "MultipartUpload": {"Parts": sent}}
        try:
            self._call("write", key, lambda: self._client.complete_multipart_upload(**where))
        except Missing:  # NoSuchUpload: a try whose answer got lost may have completed it
            if self._call("read", key, lambda: self._client.head_object(**self._at(key)))["ContentLength"] != size:
                raise

    def create(self, key: str, data: bytes) -> bool:
        """``If-None-Match: *``. Where the key is there, its bytes tell whether an earlier try of this very call has made it."""
        try:
            self._call("make", key, lambda: self._client.put_object(**self._at(key), Body=data, IfNoneMatch="*"))
        except _Exists:
            return self.read(key) == data
        return True

    def read(self, key: str) -> bytes:
        def get() -> bytes:
            data = bytearray()
            for piece in self._stream(key, {}):
                data += piece
            return bytes(data)

        return self._call("read", key, get)

    def read_into(self, key: str, start: int, into: memoryview) -> int:
        def get() -> int:
            end = 0
            for piece in self._stream(key, {"Range": f"bytes={start}-{start + len(into) - 1}"}):
                into[end : end + len(piece)] = piece
                end += len(piece)
            return end

        try:
            return self._call("read", key, get)
        except _BeyondEnd:
            return 0

    def _stream(self, key: str, wanted: Any) -> Iterator[bytes]:
        """The answer's body in pieces: one that trickles must end, too, and each piece alone comes in time."""
        until, came = time.monotonic() + self._deadline, 0
        with closing(self._client.get_object(**self._at(key), **wanted)["Body"]) as body:
            for piece in body.iter_chunks(1 << 20):
                yield piece
                came += len(piece)
                if time.monotonic() > until:
                    raise StoreFailed(f"cannot read {self.name}/{key}: only {came:,} bytes came in {self._deadline:g} s")

    def list(self, prefix: str) -> list[str]:
        found: list[str] = []
        for page in self._pages(self._client.list_objects_v2, "ContinuationToken", "NextContinuationToken", prefix):
            found += [item["Key"].removeprefix(self._prefix) for item in page.get("Contents", [])]
        return sorted(found)

    def delete(self, keys: Iterable[str]) -> None:
        todo = list(keys)
        for start in range(0, len(todo), _MOST_DELETED):
            wanted: Any = {"Objects": [{"Key": self._prefix + key} for key in todo[start : start + _MOST_DELETED]], "Quiet": True}
            answer: Any = self._call("delete", todo[start], lambda: self._client.delete_objects(Bucket=self._bucket, Delete=wanted))  # noqa: B023
            for error in answer.get("Errors", [])[:1]:
                raise StoreFailed(f"cannot delete {self.name}/{error['Key']}: {error['Code']}: {error['Message']}")

    def sweep(self, alive: Callable[[str], bool]) -> None:
        """Uploads that were begun and never completed: S3 shows them to nobody, and charges for them."""
        for page in self._pages(self._client.list_multipart_uploads, "KeyMarker", "NextKeyMarker", ""):
            for item in page.get("Uploads", []):
                key = item["Key"].removeprefix(self._prefix)
                if not alive(key):
                    with suppress(Missing):
                        self._abort(key, item["UploadId"])

    def _abort(self, key: str, upload: str) -> None:
        self._call("end the upload of", key, lambda: self._client.abort_multipart_upload(**self._at(key), UploadId=upload))

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _pages(self, listing: Any, marker: str, next_marker: str, prefix: str) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            page = self._call("list", prefix, lambda: listing(Bucket=self._bucket, Prefix=self._prefix + prefix, **more))  # noqa: B023
            yield page
            if not page.get("IsTruncated"):
                return
            more = {marker: page[next_marker]}
            if marker == "KeyMarker" and "NextUploadIdMarker" in page:
                more["UploadIdMarker"] = page["NextUploadIdMarker"]

    def _call(self, what: str, key: str, attempt: Callable[[], T]) -> T:
        where = f"{self.name}/{key}"
        try:
            return keep_trying(attempt, self._passes, self._deadline)
        except self._refused as error:
            code, status = _answer(error)
            if status == 412:
                raise _Exists(where) from error
            if status == 416:
                raise _BeyondEnd(where) from error
            if code in ("NoSuchKey", "NoSuchUpload", "404"):
                raise Missing(f"{where}: not there") from error
            raise StoreFailed(f"cannot {what} {where}: {error}") from error
        except self._broken as error:
            raise StoreFailed(f"cannot {what} {where}: {error}") from error

    def _passes(self, error: Exception) -> bool:
        if isinstance(error, self._refused):
            code, status = _answer(error)
            return code in _PASSING or status >= 500
        return isinstance(error, self._broken) and not type(error).__name__.startswith(
            ("NoCredentials", "NoRegion", "ParamValidation")
        )


class _Exists(StoreFailed):
    """A conditional write found the key there."""


class _BeyondEnd(StoreFailed):
    """The object ends before the bytes that were asked for."""


def _answer(error: Any) -> tuple[str, int]:
    return error.response["Error"].get("Code", ""), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)


def _connect(answer_within: float) -> tuple[S3Client, type[Exception], type[Exception]]:
    """A client that tries once, and the SDK's two families of errors: refused by S3; everything else."""
    try:
        import boto3  # noqa: PLC0415 - half a second, and only for s3://
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unavailable(
            "s3:// needs the AWS SDK, which is not installed\n  hint: pip install boto3 in the job's image"
        ) from error
    config = Config(
        connect_timeout=min(_CONNECT_WITHIN, answer_within),
        read_timeout=answer_within,
        retries={"total_max_attempts": 1},
        max_pool_connections=2 * _READS,
        tcp_keepalive=True,
    )
    return boto3.session.Session().client("s3", config=config), ClientError, BotoCoreError
