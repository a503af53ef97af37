"""One bucket in memory, with S3's conditional writes; each call may go wrong in an ordered way."""

from __future__ import annotations

import io
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ResponseStreamingError


class _CutBody(io.BytesIO):
    def read(self, *_: Any) -> bytes:
        raise ResponseStreamingError(error="connection broken")


class FakeS3:
    """The two calls that `S3Store` makes.

    Attributes:
        faults: what the next calls meet, in order: an error code of S3, ``cut`` (the body breaks off), ``lost`` (what was asked
            for is done, but the answer never comes), or nothing.
    """

    def __init__(self, *faults: str) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.faults = list(faults)
        self._etags = 0

    def get_object(self, **asked: Any) -> dict[str, Any]:
        fault = self._fault("GetObject")
        if asked["Key"] not in self.objects:
            raise _refused("NoSuchKey", "GetObject")
        body, etag = self.objects[asked["Key"]]
        return {"Body": _CutBody() if fault == "cut" else io.BytesIO(body), "ETag": etag}

    def put_object(self, **asked: Any) -> dict[str, Any]:
        fault = self._fault("PutObject")
        there = self.objects.get(asked["Key"])
        if asked.get("IfNoneMatch") == "*" and there:
            raise _refused("PreconditionFailed", "PutObject")
        if "IfMatch" in asked and there is None:
            raise _refused("NoSuchKey", "PutObject")
        if "IfMatch" in asked and there and there[1] != asked["IfMatch"]:
            raise _refused("PreconditionFailed", "PutObject")
        self._etags += 1
        self.objects[asked["Key"]] = (asked["Body"], f'"{self._etags}"')
        if fault == "lost":  # and the SDK asks again, by itself
            return self.put_object(**asked)
        return {"ETag": self.objects[asked["Key"]][1]}

    def _fault(self, operation: str) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "unreachable":
            raise EndpointConnectionError(endpoint_url="https://s3")
        if fault and fault not in ("cut", "lost"):
            raise _refused(fault, operation)
        return fault


def _refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
