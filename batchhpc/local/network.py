"""What nodes are to each other and to the runner, whichever way they are separated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Network(Protocol):
    """The network of one attempt of one job: loopback addresses, or namespaces."""

    def address(self, node: int) -> str:
        """IPv4 address of a node."""
        ...

    def variables(self, node: int) -> dict[str, str]:
        """Variables that a node of this kind needs and one on AWS would not."""
        ...

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command, started inside what separates a node from the others."""
        ...

    def attach(self, node: int, pid: int) -> dict[str, Any]:
        """Connects the node whose first process is ``pid``; gives what that process must set up, as init.py reads it.

        Raises:
            Unavailable: the machine refuses.
        """
        ...

    def end(self, pid: int) -> None:
        """SIGKILL to the node whose first process is ``pid``, and to everything of it."""
        ...

    def notice(self, node: int, deadline: float) -> None:
        """From now on the node's metadata service tells of its interruption at ``deadline``, in Unix seconds (R70)."""
        ...

    def partition(self, node: int) -> None:
        """Nothing reaches the node or leaves it any more; nobody is told."""
        ...

    def delay(self, node: int, seconds: float) -> None:
        """Whatever goes to the node takes that much longer."""
        ...

    def close(self) -> None:
        """Gives back what the attempt held; its nodes have ended."""
        ...
