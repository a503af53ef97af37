"""The notice that a Spot instance will be reclaimed, read from the instance metadata service.

ECS does not pass it on to containers (R70), so each agent asks by itself.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from urllib.parse import urlsplit

INTERVAL = 2.0  # seconds between two questions; the notice comes two minutes ahead
_ANSWER_TIME = 1.0  # seconds; the service is on the same machine
_RETRY = 30.0  # seconds until a service that did not answer is asked again
_TOKEN_LIFE = 21600  # seconds


async def wait_for_notice(endpoint: str) -> float:
    """Waits until this instance is to be reclaimed; gives when, in Unix seconds.

    Args:
        endpoint: the service, ``http://169.254.169.254``.
    """
    token = ""
    while True:
        try:
            if not token:
                status, token = await _ask(
                    endpoint, "PUT", "/latest/api/token", f"X-aws-ec2-metadata-token-ttl-seconds: {_TOKEN_LIFE}"
                )
            status, body = await _ask(
                endpoint, "GET", "/latest/meta-data/spot/instance-action", f"X-aws-ec2-metadata-token: {token}"
            )
            if status == 200:
                notice = json.loads(body)
                if notice.get("action") in ("stop", "terminate", "hibernate"):
                    return datetime.fromisoformat(notice["time"]).timestamp()
            if status in (400, 401):  # the token was refused, or has expired
                token = ""
            pause = INTERVAL
        except (OSError, TimeoutError, ValueError, LookupError, TypeError, AttributeError):
            token, pause = "", _RETRY
        await asyncio.sleep(pause)


async def _ask(endpoint: str, method: str, path: str, header: str) -> tuple[int, str]:
    """One HTTP request: status and body."""
    url = urlsplit(endpoint)
    async with asyncio.timeout(_ANSWER_TIME):
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
        try:
            request = f"{method} {url.path}{path} HTTP/1.0\r\nHost: {url.netloc}\r\n{header}\r\nContent-Length: 0\r\n\r\n"
            writer.write(request.encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head.startswith(b"HTTP/"):
        raise ValueError("no answer")
    return int(head.split(None, 2)[1]), body.decode()
