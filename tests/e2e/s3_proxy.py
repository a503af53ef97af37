"""Between a program and an S3 emulator: requests pass, but for those that are to fail, on the wire."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_HOP_BY_HOP = ("connection", "transfer-encoding", "date", "server")
_PATIENCE = 30.0  # seconds for the emulator to answer


@dataclass
class Fault:
    """What happens to some requests.

    Attributes:
        method: GET, PUT, POST, DELETE or a pattern of these.
        path: a pattern that is searched for in path and query.
        kind: ``busy``: 503, not passed on; ``late``: answered after ``seconds``; ``lost``: passed on, and the connection closed
            instead of an answer; ``cut``: half of the answer's body; ``raced``: ``before`` is called, then it is passed on.
        times: how often; -1 for always.
        seconds: of ``late``.
        before: of ``raced``.
    """

    method: str
    path: str
    kind: str
    times: int = 1
    seconds: float = 0.0
    before: Callable[[], None] = lambda: None


@dataclass
class Proxy:
    """A running proxy; ``seen``: method and path of every request, in order."""

    address: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.seen.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def count(self, pattern: str) -> int:
        """How many requests there were like this."""
        with self.lock:
            return sum(re.search(pattern, text) is not None for text in self.seen)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(endpoint)
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server: _Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.fault(self.command, self.path)
        kind = fault.kind if fault else ""
        if kind == "busy":
            self._send(503, [("Content-Type", "application/xml")], _BUSY)
            return
        if fault and kind == "raced":
            fault.before()
        status, headers, content = self._pass_on(body)
        if fault and kind == "late":
            time.sleep(fault.seconds)
        self.close_connection |= kind in ("lost", "cut")
        if kind != "lost":
            self._send(status, headers, content, len(content) // 2 if kind == "cut" else len(content))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815 - the names http.server looks for

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.target.hostname or "", self.server.target.port, timeout=_PATIENCE)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, [pair for pair in answer.getheaders() if pair[0].lower() not in _HOP_BY_HOP], answer.read()
        finally:
            connection.close()

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, sent: int | None = None) -> None:
        lengths = [] if self.command == "HEAD" else [("Content-Length", str(len(content)))]
        try:
            self.send_response(status)
            for name, value in [*(pair for pair in headers if not lengths or pair[0].lower() != "content-length"), *lengths]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[:sent])
        except OSError:  # nobody waits for the answer any longer
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy_to(endpoint: str) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1; nothing is left of it afterwards."""
    server = _Server(endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
