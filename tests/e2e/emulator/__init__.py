"""AWS on loopback: one process with moto's services, a small CloudFormation of our own, and faults on order.

What passes here is proven to be plumbed right: requests that the SDK accepts, answers in AWS's shapes, over a real socket,
with what may go wrong in between. It proves nothing about AWS's own semantics: moto accepts documents that AWS refuses, and the
CloudFormation here (moto's has no events per resource, no termination protection, no drift) knows of a resource only how to make
and delete the few kinds that tests look at again; of all others it keeps the name. Templates are judged elsewhere, by cfn-lint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-west-1"
ENDED_WITHIN = 10  # seconds
Cli = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    Attributes:
        endpoint: its address, ``http://127.0.0.1:PORT``.
    """

    endpoint: str

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to use it instead of AWS, made-up credentials included."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def fault(self, service: str, action: str, code: str, *, times: int = 1, message: str = "as ordered", after: int = 0) -> None:
        """Lets calls fail.

        Args:
            service: as in request signatures: ``cloudformation``, ``batch``, ``ec2``; ``*`` for any.
            action: ``DescribeStackEvents``; of REST services ``METHOD /path``; ``*`` for any.
            code: AWS's error code, or ``drop``: the connection is closed without an answer.
            times: how many calls, -1 for all that follow.
            message: what AWS says.
            after: how many such calls are answered first.
        """
        self._post("faults", service=service, action=action, code=code, times=times, message=message, after=after)

    def fail_resource(self, logical: str, reason: str, *, operation: str = "CREATE", times: int = 1) -> None:
        """Lets CloudFormation fail at a resource: CREATE, UPDATE or DELETE."""
        self._post("resources", logical=logical, reason=reason, operation=operation, times=times)

    def hold(self, logical: str) -> None:
        """CloudFormation stops before that resource until `release`."""
        self._post("hold", logical=logical)

    def release(self) -> None:
        """CloudFormation goes on."""
        self._post("hold", logical="")

    def drift(self, logical: str, path: str, actual: str) -> None:
        """Somebody changed a property by hand."""
        self._post("drift", logical=logical, path=path, actual=actual)

    def calls(self) -> list[str]:
        """What was asked since the last reset, ``service.Action`` each."""
        with urllib.request.urlopen(f"{self.endpoint}/emulator/calls", timeout=10) as answer:  # noqa: S310 - our own server
            return list(json.load(answer))

    def reset(self) -> None:
        """Forgets everything."""
        self._post("reset")

    def _post(self, what: str, **data: Any) -> None:
        request = urllib.request.Request(f"{self.endpoint}/emulator/{what}", json.dumps(data).encode())  # noqa: S310 - likewise
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - likewise


@contextmanager
def running() -> Iterator[Emulator]:
    """An emulator in a process of its own, on a free port."""
    command = [sys.executable, "-m", "tests.e2e.emulator.server"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                assert process.stderr is not None
                raise RuntimeError(f"the emulator did not start: {process.stderr.read()[-2000:]}")
            if process.stderr is not None:
                process.stderr.close()
            yield Emulator(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(ENDED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
