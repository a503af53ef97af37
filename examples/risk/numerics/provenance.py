"""What a result was computed from, and by what: for the head of every ``result.json``.

Bits do not depend on the number of ranks. They may depend on the kind of processor: numpy's exp, log and tan, and OpenBLAS's
products, are different code on different vector extensions, and differ in their last bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from batchhpc.rank.checkpoint.machine import this_machine, together
from examples.workload.communicator import Communicator
from examples.workload.files import source

_CHUNK = 1 << 20


def digest(address: str) -> str:
    """SHA-256 of a file, here or in S3.

    Raises:
        OSError: it cannot be read.
    """
    sha = hashlib.sha256()
    with source(address).stream() as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def provenance(comm: Communicator, inputs: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Inputs by name with their digests, seed, versions, and every kind of machine among the ranks; collective."""
    machines = together(comm.allgather(this_machine()))
    files = {name: {"path": address, "sha256": digest(address)} for name, address in inputs.items()} if comm.rank == 0 else {}
    return {
        "inputs": files,
        "seed": seed,
        "ranks": comm.size,
        "versions": {name: version(name) for name in ("batchhpc", "mpi4py", "numpy", "scipy")},
        "machine": machines,
        "one kind of machine": all(len(values) == 1 for values in machines.values()),
    }
