"""A small EC2 instance metadata service: address, instance id, and Spot interruption notices, behind IMDSv2's tokens (R70).

Each instance asks under a path of its own, ``http://ADDRESS:PORT/i-0123.../latest/...``. As a program it serves the isolated
nodes of a job from inside their switch's namespace, and takes one change per line of its input: ``add ID ADDRESS``,
``notice ID DEADLINE`` or ``remove ID``.
"""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import sys
import threading
from datetime import UTC, datetime
from typing import Any

_PATH = re.compile(r"/(i-[0-9a-f]+)(/latest/.*)")
_TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - a name


class MetadataService:
    """Serves from construction to `close`, in a thread of its own."""

    def __init__(self, address: str, port: int = 0) -> None:
        self._data: dict[str, dict[str, str]] = {}  # by instance, then by what is asked for
        self._tokens: set[str] = set()
        service = self

        class Handler(_Handler):
            metadata = service

        self._server = _Server((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def endpoint(self, instance: str) -> str:
        """Where this instance asks; the value of AWS_EC2_METADATA_SERVICE_ENDPOINT."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/{instance}"

    def add(self, instance: str, address: str) -> None:
        """A new instance, which knows nothing of others' notices."""
        self._data[instance] = {"instance-id": instance, "local-ipv4": address}

    def give_notice(self, instance: str, deadline: float) -> None:
        """Tells the instance from now on that it goes at ``deadline``, in Unix seconds."""
        time = datetime.fromtimestamp(deadline, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._data[instance]["spot/instance-action"] = json.dumps({"action": "terminate", "time": time})

    def remove(self, instance: str) -> None:
        """The instance is no more."""
        self._data.pop(instance, None)

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body of one request; header names in lower case."""
        match = _PATH.fullmatch(path)
        if match is None:
            return 404, ""
        if (method, match[2]) == ("PUT", "/latest/api/token"):
            return 200, self._new_token()
        if headers.get(_TOKEN_HEADER) not in self._tokens:
            return 401, ""
        body = self._data.get(match[1], {}).get(match[2].removeprefix("/latest/meta-data/"))
        return (404, "") if method != "GET" or body is None else (200, body)

    def _new_token(self) -> str:
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return token


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A node that hangs up, for example because it was killed, is no error of the service."""


class _Handler(socketserver.StreamRequestHandler):
    """One request per connection; http.server would take most of a node's start-up time to import."""

    metadata: MetadataService
    timeout = 10  # a node that stopped in the middle of a request must not hold a thread for ever

    def handle(self) -> None:
        method, path, _ = self.rfile.readline(4096).decode("latin-1").split()
        headers = {}
        while line := self.rfile.readline(4096).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status, body = self.metadata.answer(method, path, headers)
        head = f"HTTP/1.0 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write((head + body).encode())


def main(arguments: list[str]) -> None:
    """Serves at ADDRESS PORT until the input ends."""
    service = MetadataService(arguments[0], int(arguments[1]))
    print("serving", flush=True)  # noqa: T201 - the runner waits for this line
    for line in sys.stdin:
        match line.split():
            case ["add", instance, address]:
                service.add(instance, address)
            case ["notice", instance, deadline]:
                service.give_notice(instance, float(deadline))
            case ["remove", instance]:
                service.remove(instance)
    service.close()


if __name__ == "__main__":
    main(sys.argv[1:])
