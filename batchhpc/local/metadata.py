"""A small EC2 instance metadata service: Spot interruption notices, behind IMDSv2's tokens (R70).

Each node asks under a path of its own, ``http://ADDRESS:PORT/node-2/latest/...``. As a program it serves the isolated
nodes of one attempt from inside their switch's namespace, and takes one notice per line of its input: ``NODE DEADLINE``.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(r"/node-(\d+)(/latest/.*)")
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a name


class MetadataService:
    """Serves from construction to `close`, in a thread of its own."""

    def __init__(self, address: str, port: int = 0) -> None:
        self._deadlines: dict[int, float] = {}
        self._tokens: set[str] = set()
        service = self

        class Handler(_Handler):
            metadata = service

        self._server = _Server((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def endpoint(self, node: int) -> str:
        """Where this node asks; the value of AWS_EC2_METADATA_SERVICE_ENDPOINT."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/node-{node}"

    def give_notice(self, node: int, deadline: float) -> None:
        """Tells the node from now on that its instance goes at ``deadline``, in Unix seconds."""
        self._deadlines[node] = deadline

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self) -> str:
        """A new session token."""
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return token

    def answer(self, path: str, token: str | None) -> tuple[int, str]:
        """Status and body of a GET."""
        if token not in self._tokens:
            return 401, ""
        match = _PATH.fullmatch(path)
        deadline = self._deadlines.get(int(match[1])) if match else None
        if match is None or deadline is None or match[2] != "/latest/meta-data/spot/instance-action":
            return 404, ""
        time = datetime.fromtimestamp(deadline, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, json.dumps({"action": "terminate", "time": time})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A node that hangs up, for example because it was killed, is no error of the service."""


class _Handler(BaseHTTPRequestHandler):
    metadata: MetadataService
    timeout = 10  # a node that stopped in the middle of a request must not hold a thread for ever

    def do_PUT(self) -> None:
        match = _PATH.fullmatch(self.path)
        if match and match[2] == "/latest/api/token":
            self._send(200, self.metadata.token())
        else:
            self._send(404, "")

    def do_GET(self) -> None:
        self._send(*self.metadata.answer(self.path, self.headers.get(_TOKEN_HEADER)))

    def _send(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Polls are not worth a line."""


def main(arguments: list[str]) -> None:
    """Serves at ADDRESS PORT until the input ends."""
    service = MetadataService(arguments[0], int(arguments[1]))
    print("serving", flush=True)  # noqa: T201 - the runner waits for this line
    for line in sys.stdin:
        node, deadline = line.split()
        service.give_notice(int(node), float(deadline))
    service.close()


if __name__ == "__main__":
    main(sys.argv[1:])
