"""Input files, here and in S3: their size, their version, and any range of their bytes."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from batchhpc.rank.checkpoint.retrying import keep_trying

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_S3 = "s3://"
_STREAM_BUFFER = 8 << 20  # bytes of one request when an object is read from its start to its end
_ATTEMPTS, _CONNECT_WITHIN, _ANSWER_WITHIN = 8, 5.0, 30.0  # of one request to S3; seconds
_BODY_WITHIN = 120.0  # seconds in which bytes must have come whole, with all tries


class Source(Protocol):
    """One file.

    Attributes:
        address: as the user wrote it.
        size: bytes.
        version: changes when the content does; for a checkpoint's ``inputs``.
    """

    @property
    def address(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def version(self) -> str: ...

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes; fewer at the end of the file."""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer from byte ``offset`` on; how many bytes there were."""

    def stream(self, offset: int = 0) -> io.BufferedIOBase:
        """To read from there to the end."""


def source(address: str) -> Source:
    """What is at a path or an ``s3://bucket/key``.

    Raises:
        OSError: there is no such file, or it may not be read; says why.
    """
    return _Object(address) if address.startswith(_S3) else _File(address)


class _File:
    def __init__(self, address: str) -> None:
        path = Path(address)
        if not path.exists():
            raise FileNotFoundError(f"{address} does not exist")
        if not path.is_file():
            raise IsADirectoryError(f"{address} is not a file")
        if not os.access(path, os.R_OK):
            raise PermissionError(f"{address} may not be read by this user")
        facts = path.stat()
        self.address, self._path = address, path
        written = datetime.fromtimestamp(facts.st_mtime, UTC)
        self.size, self.version = facts.st_size, f"{facts.st_size} bytes written {written.isoformat(timespec='microseconds')}"

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            filled = 0
            while filled < len(buffer) and (got := file.readinto(buffer[filled:])):
                filled += got
            return filled

    def stream(self, offset: int = 0) -> io.BufferedIOBase:
        file = self._path.open("rb")
        file.seek(offset)
        return file


class _Object:
    """An object of S3; every request asks for the version that was there at first."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._bucket, _, self._key = address.removeprefix(_S3).partition("/")
        if not self._bucket or not self._key:
            raise FileNotFoundError(f"{address} names no object; write s3://bucket/key")
        self._client, self._refused = _connect(address)
        answer = self._ask(lambda: self._client.head_object(Bucket=self._bucket, Key=self._key))
        self.size, self._etag = int(answer["ContentLength"]), str(answer["ETag"])
        self.version = f"{self.size} bytes of {self._etag}"

    def read(self, offset: int, length: int) -> bytes:
        buffer = bytearray(min(length, max(0, self.size - offset)))
        return bytes(buffer[: self.read_into(offset, memoryview(buffer))])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        length = min(len(buffer), self.size - offset)
        if length <= 0:
            return 0
        where = f"bytes={offset}-{offset + length - 1}"

        def get() -> bytes:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=where, IfMatch=self._etag)
            body = answer["Body"].read()
            if len(body) < length:
                raise TimeoutError(f"{len(body):,} of {length:,} bytes came")
            return body

        # The SDK tries requests again, but not what breaks off after the answer has begun.
        buffer[:length] = self._ask(lambda: keep_trying(get, lambda error: _code(error) is None, _BODY_WITHIN))
        return length

    def stream(self, offset: int = 0) -> io.BufferedIOBase:
        return io.BufferedReader(_RawStream(self, offset), _STREAM_BUFFER)

    def _ask(self, call: Any) -> Any:
        """What the call gives."""
        try:
            return call()
        except self._refused as error:
            code = _code(error)
            if code in {"404", "NoSuchKey", "NoSuchBucket"}:
                raise FileNotFoundError(f"{self.address} does not exist") from None
            if code in {"403", "AccessDenied"}:
                raise PermissionError(f"{self.address} may not be read with these credentials") from None
            if code in {"412", "PreconditionFailed"}:
                raise OSError(f"{self.address} was replaced while it was read") from None
            raise OSError(f"{self.address} cannot be read: {error}") from error


def _code(error: Exception) -> str | None:
    """What S3 answered; None if it did not."""
    answer = getattr(error, "response", None) or {}
    return answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None


class _RawStream(io.RawIOBase):
    def __init__(self, of: Source, offset: int) -> None:
        self._of, self._offset = of, offset

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def readinto(self, buffer: Any) -> int:
        got = self._of.read_into(self._offset, memoryview(buffer).cast("B"))
        self._offset += got
        return got


def _connect(address: str) -> tuple[S3Client, tuple[type[Exception], ...]]:
    try:
        import boto3  # noqa: PLC0415 - only an s3:// address needs it
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError:
        raise OSError(f"{address} needs boto3\n  hint: pip install 'batchhpc[aws]'") from None
    config = Config(
        connect_timeout=_CONNECT_WITHIN,
        read_timeout=_ANSWER_WITHIN,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
    )
    return boto3.client("s3", config=config), (BotoCoreError, ClientError, TimeoutError)
