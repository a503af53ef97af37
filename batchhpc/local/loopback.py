"""Nodes as loopback addresses: no privilege, one network stack, one file system."""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
import time
from collections.abc import Sequence
from typing import Any

from batchhpc.agent import contract
from batchhpc.errors import Unavailable
from batchhpc.local import processes
from batchhpc.local.metadata import MetadataService
from batchhpc.local.shared_memory import remove_leftovers


class LoopbackNetwork:
    """A free block of 127/8: node k has the address k + 1 of it, the metadata service has address 0."""

    def __init__(self, nodes: int) -> None:
        self._since = time.time()
        self._base = _free_block(nodes)
        self._metadata = MetadataService(str(self._base))

    def address(self, node: int) -> str:
        return str(self._base + node + 1)

    def variables(self, node: int) -> dict[str, str]:
        return {contract.NODE_ADDRESS: self.address(node), contract.METADATA_ENDPOINT: self._metadata.endpoint(node)}

    def wrap(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def attach(self, node: int, pid: int) -> dict[str, Any]:  # noqa: ARG002 - nothing to connect
        return {}

    def end(self, pid: int) -> None:
        processes.end_tree(pid)

    def notice(self, node: int, deadline: float) -> None:
        self._metadata.give_notice(node, deadline)

    def partition(self, node: int) -> None:
        raise AssertionError(f"node {node} shares its network: refused before the start (faults.py)")

    def delay(self, node: int, seconds: float) -> None:
        raise AssertionError(f"node {node} shares its network: refused before the start (faults.py), delay of {seconds} s")

    def close(self) -> None:
        self._metadata.close()
        remove_leftovers(self._since)


def _free_block(nodes: int) -> ipaddress.IPv4Address:
    """First address of a block with room for the nodes, in which nobody listens on the agent's port yet.

    Chance keeps jobs that start at the same time apart: there are 65,000 blocks.
    """
    chance = random.SystemRandom()
    last = (1 << 24) - 512 - nodes  # in 127/8, and clear of its broadcast address
    for _ in range(50):
        base = ipaddress.IPv4Address("127.0.0.0") + (chance.randrange(1 << 16, last) & ~0xFF)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((str(base + 1), contract.PORT))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    break
                continue
            return base
    raise Unavailable(
        f"no loopback addresses for {nodes} nodes: port {contract.PORT} cannot be bound on 127.x.y.1\n"
        "  hint: this needs Linux with 127.0.0.0/8 on lo, and no program that listens there on all addresses; or run with --isolate"
    )
