"""Where gangs keep their record: an S3 bucket, or a directory. Both swap: a write succeeds only over what was read before.

These calls block; `record_keeper` makes them in a thread. boto3 is imported only where an ``s3://`` address is given.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
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


class _Absent(Exception):
    """There is no such object."""


class RecordStore(Protocol):
    """One gang's record. A version is what a write must find to be let through; None: that there is no record."""

    def read(self) -> tuple[Record | None, str | None]:
        """The record and its version.

        Raises:
            RecordUnavailable: try again.
            Misconfigured: trying again cannot help.
        """
        ...

    def write(self, record: Record, version: str | None, mark: str) -> str:
        """Writes over that version; gives the new one.

        Args:
            record: what to write.
            version: what must be there.
            mark: of this writing and no other, so that it is known again if an answer was lost.

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

    def read(self) -> tuple[Record | None, str | None]:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise RecordUnavailable(f"{self._path}: {error.strerror}") from error
        return _parsed(text, str(self._path)), _digest(text)

    def write(self, record: Record, version: str | None, mark: str) -> str:
        text = record.to_json(mark)
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

    def read(self) -> tuple[Record | None, str | None]:
        found = self._get()
        return (_parsed(found[0], self._name), found[1]) if found else (None, None)

    def write(self, record: Record, version: str | None, mark: str) -> str:
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        body = record.to_json(mark).encode()
        try:
            answer = self._ask("put_object", Body=body, ContentType="application/json", **condition)
        except (RecordChanged, _Absent):
            found = self._get()  # the SDK asks again after an answer that was lost: perhaps it was we who changed it
            if found and _mark_of(found[0]) == mark:
                return found[1]
            raise RecordChanged from None
        return str(answer["ETag"])

    def _get(self) -> tuple[str, str] | None:
        """Text and version; None if there is no such object."""
        try:
            answer = self._ask("get_object")
        except _Absent:
            return None
        return answer["Body"].decode(), str(answer["ETag"])

    @property
    def _name(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def _ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """One call, its body read.

        Raises:
            _Absent: there is no such object.
            RecordChanged, RecordUnavailable, Misconfigured: as the verbs do.
        """
        from botocore.exceptions import (  # noqa: PLC0415 - see `_client`
            BotoCoreError,
            ClientError,
            HTTPClientError,
            NoCredentialsError,
            ParamValidationError,
        )

        try:
            answer = dict(getattr(self._client, verb)(Bucket=self._bucket, Key=self._key, **arguments))
            if "Body" in answer:
                answer["Body"] = answer["Body"].read()
        except ClientError as error:
            raise self._refused(error.response["Error"]["Code"]) from error
        except NoCredentialsError as error:
            text = "the record of this gang: this container has no credentials; give the job a role"
            raise Misconfigured(f"{self._name}, {text}") from error
        except ParamValidationError as error:
            text = "the record of this gang: this image's boto3 knows no conditional writes; install 1.36 or newer"
            raise Misconfigured(f"{self._name}, {text}") from error
        except (BotoCoreError, HTTPClientError, OSError) as error:  # connections may break while the body is read, too
            raise RecordUnavailable(f"{self._name}: {error}") from error
        return answer

    def _refused(self, code: str) -> Exception:
        if code in _ABSENT:
            return _Absent()
        if code in _RACE_LOST:
            return RecordChanged()
        if code in _REFUSED:
            hint = "the job's role must be able to read and write there, and the bucket must exist"
            return Misconfigured(f"{self._name}, the record of this gang: {code}; {hint}")
        return RecordUnavailable(f"{self._name}: {code}")


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


def _mark_of(text: str) -> str:
    """Who wrote a record; nobody we know if it is none."""
    with contextlib.suppress(ValueError):
        return Record.from_json(text)[1]
    return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
