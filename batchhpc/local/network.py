"""What nodes are to each other and to the runner, whichever way they are separated."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from batchhpc.local.definition import NodePlan


@dataclass(frozen=True, slots=True)
class Instance:
    """What a node runs on in one attempt; in another attempt it is another.

    Attributes:
        number: of the job's instances, from 0.
        address: its IPv4 address, which no other instance of the job ever has.
        host_name: what it calls itself, where nodes have host names of their own.
        id: as EC2 would write it.
    """

    number: int
    address: str
    host_name: str
    id: str = field(default_factory=lambda: f"i-{secrets.token_hex(9)[:17]}")


def host_name(node: int, attempt: int) -> str:
    """What an instance calls itself."""
    return f"node-{node}" if attempt == 1 else f"node-{node}-{attempt}"


class Network(Protocol):
    """The network of one job, in all its attempts: loopback addresses, or namespaces."""

    def instance(self, node: int, attempt: int) -> Instance:
        """A new instance for a node, in an attempt of its own or of the job's."""
        ...

    def variables(self, instance: Instance) -> dict[str, str]:
        """Variables that a node of this kind needs and one on AWS would not."""
        ...

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command, started inside what separates a node from the others."""
        ...

    def attach(self, instance: Instance, node: NodePlan, scratch: Path, pid: int) -> dict[str, Any]:
        """Connects the node whose first process is ``pid``; gives what that process must set up, as init.py reads it.

        Args:
            instance: which the node runs on.
            node: what it runs; its mounts have sources of this machine.
            scratch: a directory of the node's own, which outlives it.
            pid: its first process.

        Raises:
            Unavailable: the machine refuses.
        """
        ...

    def end(self, pid: int) -> None:
        """SIGKILL to the node whose first process is ``pid``, and to everything of it."""
        ...

    def notice(self, instance: Instance, deadline: float) -> None:
        """From now on the instance's metadata service tells of its interruption at ``deadline``, in Unix seconds (R70)."""
        ...

    def partition(self, instance: Instance) -> None:
        """Nothing reaches the instance or leaves it any more; nobody is told."""
        ...

    def delay(self, instance: Instance, seconds: float) -> None:
        """Whatever goes to the instance takes that much longer."""
        ...

    def release(self, instance: Instance) -> None:
        """Gives back what the instance held; no process of it is left."""
        ...

    def close(self) -> None:
        """Gives back what the job held; its nodes have ended."""
        ...
