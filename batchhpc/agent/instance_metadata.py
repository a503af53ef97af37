"""The EC2 instance metadata service (IMDSv2): what this node's instance is, and when it will be reclaimed."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

_ANSWER_TIME = 1.0  # seconds; the service is on the same machine
_TOKEN_LIFE = 21600  # seconds
_REFUSED = (400, 401)  # the token is wrong, or has expired


class InstanceMetadata:
    """Asks the service.

    Args:
        endpoint: ``http://169.254.169.254``.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._token = ""

    async def get(self, path: str) -> str | None:
        """What stands under ``/latest/meta-data/``; None if nothing does.

        Raises:
            OSError, TimeoutError, ValueError: there is no such service, or it does not speak to us.
        """
        if not self._token:
            status, self._token = await self._ask("PUT", "api/token", f"X-aws-ec2-metadata-token-ttl-seconds: {_TOKEN_LIFE}")
            if status != 200:
                self._token = ""
                raise ValueError(f"no token: {status}")
        status, body = await self._ask("GET", f"meta-data/{path}", f"X-aws-ec2-metadata-token: {self._token}")
        if status in _REFUSED:
            self._token = ""
        return body if status == 200 else None

    async def _ask(self, method: str, path: str, header: str) -> tuple[int, str]:
        """One HTTP request: status and body."""
        url = urlsplit(self._endpoint)
        async with asyncio.timeout(_ANSWER_TIME):
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
            try:
                head = f"{method} {url.path}/latest/{path} HTTP/1.0"
                writer.write(f"{head}\r\nHost: {url.netloc}\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode())
                head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            finally:
                writer.close()
        if not head.startswith("HTTP/"):
            raise ValueError("no answer")
        return int(head.split(None, 2)[1]), body
