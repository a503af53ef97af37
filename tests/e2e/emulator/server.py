"""The emulator's process: ``python -m tests.e2e.emulator.server`` prints its port and serves until it is ended."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterable
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

MOST_CALLS = 100_000
# What moto does not have, and the client can do without: it says that it does not know, instead of trying again for seconds.
_LACKING: dict[str, Any] = {"servicequotas.ListServiceQuotas": {"Quotas": []}, "pricing.GetProducts": {"PriceList": []}}


class Front:
    """Every request passes here: faults on order, then CloudFormation, or FSx's associations, or moto."""

    def __init__(self, moto: Any, endpoint: str) -> None:
        from tests.e2e.emulator.associations import Associations
        from tests.e2e.emulator.cloudformation import CloudFormation

        self._moto, self._endpoint = moto, endpoint
        self._cloudformation, self._associations = CloudFormation(endpoint), Associations()
        self._faults: list[dict[str, Any]] = []
        self._calls: list[str] = []
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/moto-api"):
            return self._moto(environ, start)  # type: ignore[no-any-return]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if _has_body(environ) else b""
        if path.startswith("/emulator/"):
            return self._order(path.removeprefix("/emulator/"), json.loads(body or b"{}"), start)
        environ["wsgi.input"] = io.BytesIO(body)
        service, region = _scope(environ)
        action = _action(environ, body)
        with self._lock:
            if len(self._calls) < MOST_CALLS:
                self._calls.append(f"{service}.{action}")
            fault = self._due(service, action)
        if fault:
            return _fail(environ, start, service, fault)
        if service == "cloudformation":
            status, text = self._cloudformation.answer(region, action, dict(parse_qsl(body.decode(), keep_blank_values=True)))
            start(status, [("Content-Type", "text/xml")])
            return [text]
        if (lacking := _LACKING.get(f"{service}.{action}")) is not None or (service == "fsx" and "Association" in action):
            known = self._associations.answer(action, json.loads(body)) if lacking is None else None
            status, text = known or ("200 OK", json.dumps(lacking).encode())
            start(status, [("Content-Type", "application/x-amz-json-1.1")])
            return [text]
        return self._moto(environ, start)  # type: ignore[no-any-return]

    def _due(self, service: str, action: str) -> dict[str, Any] | None:
        for fault in self._faults:
            if fault["service"] in ("*", service) and fault["action"] in ("*", action) and fault["times"]:
                if fault["after"] > 0:
                    fault["after"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    def _order(self, what: str, data: dict[str, Any], start: Any) -> Iterable[bytes]:
        answer: Any = {}
        if what == "faults":
            with self._lock:
                self._faults.append(data)
        elif what == "calls":
            answer = list(self._calls)
        elif what == "reset":
            from moto.moto_api._internal.models import moto_api_backend

            moto_api_backend.reset()
            self.__init__(self._moto, self._endpoint)  # type: ignore[misc]
        else:
            self._cloudformation.order(what, data)
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


def _has_body(environ: dict[str, Any]) -> bool:
    return bool(environ.get("CONTENT_LENGTH"))


def _scope(environ: dict[str, Any]) -> tuple[str, str]:
    """Service and Region, as the request is signed for."""
    found = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    return (found[2], found[1]) if found else ("", "us-east-1")


def _action(environ: dict[str, Any], body: bytes) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if found := re.search(rb"(?:^|&)Action=(\w+)", body):
        return found[1].decode()
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _fail(environ: dict[str, Any], start: Any, service: str, fault: dict[str, Any]) -> Iterable[bytes]:
    code, message = fault["code"], fault["message"]
    if code == "drop":
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError("dropped, as ordered")
    if service in ("cloudformation", "iam", "sts"):
        kind, text = (
            "text/xml",
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>{_said(message)}</Error></ErrorResponse>",
        )
    elif service == "ec2":
        kind, text = "text/xml", f"<Response><Errors><Error><Code>{code}</Code>{_said(message)}</Error></Errors></Response>"
    elif service == "s3":
        kind, text = "text/xml", f"<Error><Code>{code}</Code>{_said(message)}</Error>"
    else:
        kind, text = "application/json", json.dumps({"__type": code, "message": message})
    status = "403 Forbidden" if "Denied" in code or "Expired" in code else "400 Bad Request"
    start(status, [("Content-Type", kind), ("x-amzn-errortype", code)])
    return [text.encode()]


def _said(message: str) -> str:
    return f"<Message>{escape(message)}</Message>"


def main() -> None:
    """Serves on a free port of 127.0.0.1 until the process is ended."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    default_user_config["batch"] = {"use_docker": False}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ["MOTO_PORT"] = str(port)
    app = Front(DomainDispatcherApplication(create_backend_app), f"http://127.0.0.1:{port}")
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)
    print(port, flush=True)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - nobody reads it any more
    sys.stderr = sys.stdout
    server.serve_forever()


if __name__ == "__main__":
    main()
