"""Nodes as loopback addresses: no privilege, one network stack, one file system."""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchhpc.agent import contract
from batchhpc.agent.leftovers import remove_segments, remove_topologies
from batchhpc.errors import Unavailable
from batchhpc.local import processes
from batchhpc.local.definition import NodePlan
from batchhpc.local.metadata import MetadataService
from batchhpc.local.network import Instance, host_name


class LoopbackNetwork:
    """A free block of 127/8: the metadata service has address 0 of it, the nodes of the first attempt come next.

    Args:
        nodes: how many the job has.
        attempts: how often each may be started.
    """

    def __init__(self, nodes: int, attempts: int) -> None:
        self._nodes = nodes
        self._since = time.time()
        self._base = _free_block(nodes * attempts)
        self._metadata = MetadataService(str(self._base))

    def instance(self, node: int, attempt: int) -> Instance:
        number = (attempt - 1) * self._nodes + node
        made = Instance(number, str(self._base + number + 1), host_name(node, attempt))
        self._metadata.add(made.id, made.address)
        return made

    def variables(self, instance: Instance) -> dict[str, str]:
        return {contract.NODE_ADDRESS: instance.address, contract.METADATA_ENDPOINT: self._metadata.endpoint(instance.id)}

    def wrap(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def attach(self, instance: Instance, node: NodePlan, scratch: Path, pid: int) -> dict[str, Any]:  # noqa: ARG002 - no need
        return {}

    def end(self, pid: int) -> None:
        processes.end_tree(pid)

    def notice(self, instance: Instance, deadline: float) -> None:
        self._metadata.give_notice(instance.id, deadline)

    def partition(self, instance: Instance) -> None:
        raise AssertionError(f"{instance} shares its network: refused before the start (faults.py)")

    def delay(self, instance: Instance, seconds: float) -> None:
        raise AssertionError(f"{instance} shares its network: refused before the start (faults.py), delay of {seconds} s")

    def release(self, instance: Instance) -> None:
        self._metadata.remove(instance.id)
        remove_segments(self._since)

    def close(self) -> None:
        self._metadata.close()
        remove_segments(self._since)
        remove_topologies(self._since)


def _free_block(size: int) -> ipaddress.IPv4Address:
    """First address of a block of that many, in which nobody listens on the agent's port yet.

    Chance keeps jobs that start at the same time apart: there are 65,000 blocks.
    """
    chance = random.SystemRandom()
    last = (1 << 24) - 512 - size  # in 127/8, and clear of its broadcast address
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
        f"no {size} loopback addresses: port {contract.PORT} cannot be bound on 127.x.y.1\n"
        "  hint: this needs Linux with 127.0.0.0/8 on lo, and no program that listens there on all addresses; or run with --isolate"
    )
