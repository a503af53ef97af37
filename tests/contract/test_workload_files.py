"""Input files of workloads: local ones, and objects in moto's S3."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from examples.workload.files import Source, source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEXT = bytes(range(256)) * 40


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """A bucket with one object in it."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="reads")
        client.put_object(Bucket="reads", Key="run/x.fq", Body=TEXT)
        yield client


@pytest.fixture(params=["local", "s3"])
def found(request: pytest.FixtureRequest, tmp_path: Path, bucket: S3Client) -> Source:
    """The same bytes, here and in S3."""
    assert bucket
    (tmp_path / "x.fq").write_bytes(TEXT)
    return source("s3://reads/run/x.fq" if request.param == "s3" else str(tmp_path / "x.fq"))


def test_any_range_can_be_read(found: Source) -> None:
    """Bytes from anywhere, fewer at the end, none beyond it; as bytes, into a buffer and as a stream."""
    buffer = bytearray(300)
    assert found.size == len(TEXT)
    assert found.read(250, 20) == TEXT[250:270]
    assert found.read(len(TEXT) - 5, 20) == TEXT[-5:]
    assert found.read(len(TEXT), 20) == b""
    assert found.read_into(100, memoryview(buffer)) == 300
    assert bytes(buffer) == TEXT[100:400]
    assert found.read_into(len(TEXT) - 7, memoryview(buffer)) == 7
    with found.stream() as whole, found.stream(1000) as rest:
        assert whole.read() == TEXT
        assert rest.read(10) == TEXT[1000:1010]


def test_the_version_tells_one_content_from_another(bucket: S3Client) -> None:
    """An object of other bytes has another version, and reading on in the old one says that it was replaced."""
    before = source("s3://reads/run/x.fq")
    bucket.put_object(Bucket="reads", Key="run/x.fq", Body=TEXT[::-1])
    assert source("s3://reads/run/x.fq").version != before.version
    with pytest.raises(OSError, match=r"s3://reads/run/x\.fq was replaced while it was read"):
        before.read(0, 10)


@pytest.mark.parametrize("address", ["s3://reads/no", "s3://nobody/x", "s3://reads", "s3://"])
def test_what_is_not_there_is_named(bucket: S3Client, address: str) -> None:
    """A missing object, a missing bucket and half an address end with the address in the message."""
    assert bucket
    with pytest.raises(FileNotFoundError, match=address):
        source(address)


class Breaking:
    """A server of one object that breaks off the first answers in their middle."""

    def __init__(self, broken: int) -> None:
        self.left = broken
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(TEXT)))
                self.send_header("ETag", '"1"')
                self.end_headers()

            def do_GET(self) -> None:
                first, last = (int(each) for each in self.headers["Range"].removeprefix("bytes=").split("-"))
                body = TEXT[first : last + 1]
                self.send_response(206)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"1"')
                self.end_headers()
                outer.left -= 1
                self.wfile.write(body if outer.left < 0 else body[:10])
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def test_answers_that_break_off_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that came in part are not taken for all, and do not end the run: they are asked for again."""
    breaking = Breaking(2)
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{breaking.server.server_port}")
    thread = threading.Thread(target=breaking.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        assert source("s3://reads/x.fq").read(100, 200) == TEXT[100:300]
        assert breaking.left < 0
    finally:
        breaking.server.shutdown()
        thread.join()
        breaking.server.server_close()
