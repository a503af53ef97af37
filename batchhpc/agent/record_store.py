"""Where gangs keep their record: an S3 bucket, or a directory. Both swap: a write succeeds only over what was read before.

These calls block; `record_keeper` makes them in a thread. boto3 is imported only where an ``s3://`` address is given.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from batchhpc.agent.record import Record
from batchhpc.errors import Misconfigured

_CONNECT_TIME, _ANSWER_TIME = 3.0, 5.0  # seconds; a record has a few hundred bytes
_REFUSED = ("AccessDenied", "AllAccessDisabled", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PermanentRedirect")
_RACE_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_ABSENT = ("NoSuchKey", "404")


class RecordChanged(Exception):
    """Somebody else has written the record since it was read."""


class RecordUnavailable(Exception):
    """The record can be neither read nor written now; later perhaps it can."""


class RecordStore(Protocol):
    """One gang's record. A version is what a write must find to be let through; None: that there is no record."""

    def read(self) -> tuple[Record | None, str | None]:
        """The record and its version.

        Raises:
            RecordUnavailable: try again.
            Misconfigured: trying again cannot help.
        """
        ...

    def write(self, record: Record, version: str | None) -> str:
        """Writes over that version; gives the new one.

        Raises:
            RecordChanged: the record has another version now.
            RecordUnavailable: try again; it is not known whether it was written.
            Misconfigured: trying again cannot help.
        """
        ...


def open_store(records: str, job_id: str) -> RecordStore:
    """The record of a gang.

    Args:
        records: where all gangs keep theirs: ``s3://bucket/prefix``, or a directory that all nodes share.
        job_id: the gang's array job.

    Raises:
        Misconfigured: boto3 is not in the image.
    """
    url = urlsplit(records)
    if url.scheme == "s3":
        return S3Store(url.netloc, "/".join(part for part in (url.path.strip("/"), f"{job_id}.json") if part))
    return DirectoryStore(Path(records), job_id)


class DirectoryStore:
    """A file of a directory. A lock keeps writers apart, and a rename readers from half a file."""

    def __init__(self, directory: Path, job_id: str) -> None:
        self._path = directory / f"{job_id}.json"
        self._writer = uuid.uuid4().hex

    def read(self) -> tuple[Record | None, str | None]:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise RecordUnavailable(f"{self._path}: {error.strerror}") from error
        return _parsed(text, str(self._path)), _digest(text)

    def write(self, record: Record, version: str | None) -> str:
        text = record.to_json(f"{self._writer}/{uuid.uuid4().hex[:8]}")
        try:
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self.read()[1] != version:
                    raise RecordChanged
                with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=".record-", delete=False) as new:
                    new.write(text)
                    new.flush()
                    os.fsync(new.fileno())
                Path(new.name).replace(self._path)
        except OSError as error:
            raise RecordUnavailable(f"{self._path}: {error.strerror}") from error
        return _digest(text)


class S3Store:
    """An object, written with ``If-Match`` or ``If-None-Match``."""

    def __init__(self, bucket: str, key: str, client: Any = None) -> None:
        self._bucket, self._key = bucket, key
        self._client = client or _client()
        self._writer = uuid.uuid4().hex

    def read(self) -> tuple[Record | None, str | None]:
        try:
            answer = self._ask("get_object")
        except KeyError:
            return None, None
        return _parsed(answer["Body"].read().decode(), self._name), answer["ETag"]

    def write(self, record: Record, version: str | None) -> str:
        writer = f"{self._writer}/{uuid.uuid4().hex[:8]}"
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        body = record.to_json(writer).encode()
        try:
            return str(self._ask("put_object", Body=body, ContentType="application/json", **condition)["ETag"])
        except (RecordChanged, KeyError):
            # The SDK asks again after an answer that was lost: perhaps it was we who changed it.
            with contextlib.suppress(KeyError):
                answer = self._ask("get_object")
                with contextlib.suppress(ValueError):
                    if Record.from_json(answer["Body"].read().decode())[1] == writer:
                        return str(answer["ETag"])
            raise RecordChanged from None

    @property
    def _name(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def _ask(self, verb: str, **arguments: Any) -> Any:
        """One call; KeyError if there is no such object."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - see `_client`

        try:
            return getattr(self._client, verb)(Bucket=self._bucket, Key=self._key, **arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _ABSENT:
                raise KeyError(self._key) from error
            if code in _RACE_LOST:
                raise RecordChanged from error
            if code in _REFUSED:
                hint = "the job's role must be able to read and write there, and the bucket must exist"
                raise Misconfigured(f"{self._name}, the record of this gang: {code}; {hint}") from error
            raise RecordUnavailable(f"{self._name}: {code}") from error
        except NoCredentialsError as error:
            text = "the record of this gang: this container has no credentials; give the job a role"
            raise Misconfigured(f"{self._name}, {text}") from error
        except BotoCoreError as error:
            raise RecordUnavailable(f"{self._name}: {error}") from error


def _client() -> Any:
    try:
        import boto3  # noqa: PLC0415 - only gangs whose record is in S3 need it
        from botocore.config import Config  # noqa: PLC0415
    except ImportError as error:
        raise Misconfigured("a gang keeps its record in S3, and this image has no boto3; install it: pip install boto3") from error
    config = Config(connect_timeout=_CONNECT_TIME, read_timeout=_ANSWER_TIME, retries={"mode": "standard", "max_attempts": 3})
    return boto3.client("s3", config=config)


def _parsed(text: str, name: str) -> Record:
    try:
        return Record.from_json(text)[0]
    except ValueError as error:
        raise Misconfigured(f"{name} {error}") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
