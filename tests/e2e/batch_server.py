"""The small AWS Batch of the unit tests over HTTP, in AWS's wire formats: REST for Batch, JSON for logs and quotas."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.aws.fake_batch import FakeBatch, Lost
from tests.unit.aws.fake_clients import check, operations
from tests.unit.aws.fake_jobs import Refusal


@contextmanager
def served(fake: FakeBatch) -> Iterator[str]:
    """Serves it on loopback, and gives its address."""
    lock, paths = threading.Lock(), {each.http["requestUri"]: each for each in operations("batch").values()}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            operation = paths.get(self.path)
            try:
                with lock:
                    answer = fake.call(target or (operation.name if operation else self.path), request)
            except Lost:
                self.close_connection = True
                return
            except Refusal as refusal:
                self._send(refusal.status, {"message": refusal.message, "__type": refusal.code}, refusal.code)
                return
            if operation and not target:
                check(answer, operation.output_shape)
            self._send(200, answer)

        def _send(self, status: int, body: Any, error: str = "") -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
