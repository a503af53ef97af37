"""The notice that a Spot instance will be reclaimed, read from the instance metadata service.

ECS does not pass it on to containers (R70), so each agent asks by itself.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from batchhpc.agent.instance_metadata import InstanceMetadata

INTERVAL = 2.0  # seconds between two questions; the notice comes two minutes ahead
_RETRY = 30.0  # seconds until a service that did not answer is asked again


async def wait_for_notice(endpoint: str) -> float:
    """Waits until this instance is to be reclaimed; gives when, in Unix seconds.

    Args:
        endpoint: the service, ``http://169.254.169.254``.
    """
    metadata = InstanceMetadata(endpoint)
    while True:
        pause = INTERVAL
        try:
            notice = json.loads(await metadata.get("spot/instance-action") or "{}")
            if notice.get("action") in ("stop", "terminate", "hibernate"):
                return datetime.fromisoformat(notice["time"]).timestamp()
        except (OSError, TimeoutError, ValueError, LookupError, TypeError, AttributeError):
            metadata, pause = InstanceMetadata(endpoint), _RETRY
        await asyncio.sleep(pause)
